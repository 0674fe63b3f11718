/**
 * Saves text as a file through the browser.
 */

/** Download the text. */
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
