/**
 * A DOM button, for widgets that do not use React.
 */

/** Create a button; `title` is the longer description. */
export function button(
  className: string,
  label: string,
  title: string,
  onClick: () => void
): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = className;
  made.textContent = label;
  made.title = title;
  made.addEventListener('click', onClick);
  return made;
}
