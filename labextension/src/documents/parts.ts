/**
 * Small parts of the documents' bars: buttons with words, places that tell what goes on.
 */

import { button as plainButton } from '../button';

/** A button in a document's bar. */
export function button(label: string, title: string, onClick: () => void): HTMLButtonElement {
  return plainButton('jp-Rucat-doc-button', label, title, onClick);
}

/** A button that is on or off. */
export function toggle(
  label: string,
  title: string,
  isOn: boolean,
  onChange: (isOn: boolean) => void
): HTMLButtonElement {
  const made = button(label, title, () => {
    const next = made.getAttribute('aria-pressed') !== 'true';
    press(made, next);
    onChange(next);
  });
  press(made, isOn);
  return made;
}

/** Show a toggle as on or off. */
export function press(made: HTMLButtonElement, isOn: boolean): void {
  made.setAttribute('aria-pressed', String(isOn));
}

/** The row of buttons above a document. */
export function bar(label: string, ...parts: HTMLElement[]): HTMLElement {
  const made = document.createElement('div');
  made.className = 'jp-Rucat-doc-bar';
  made.setAttribute('role', 'group');
  made.setAttribute('aria-label', label);
  made.append(...parts);
  return made;
}

/** Words that are told when they change. */
export function status(): HTMLElement {
  const made = document.createElement('span');
  made.className = 'jp-Rucat-doc-status';
  made.setAttribute('role', 'status');
  return made;
}

/** Change words only where they differ: what is told is told once. */
export function say(where: HTMLElement, words: string): void {
  if (where.textContent !== words) {
    where.textContent = words;
  }
}

/** Show an element, or take its room away. */
export function show(element: HTMLElement, isShown: boolean): void {
  element.hidden = !isShown;
}
