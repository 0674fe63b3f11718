/**
 * Saves a text as a file of the reader's machine.
 */

/** Hand the text to the browser as a download. */
export function saveText(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[/\\]/g, '_');
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(url);
}
