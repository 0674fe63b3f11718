/**
 * A plain button of the page, for what is not drawn by React.
 */

/** A button of a CSS class that says what it does, in words and, longer, in its title. */
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
