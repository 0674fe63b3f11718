/**
 * Parts of the document toolbars: buttons, toggles and status.
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

/** A live region: screen readers announce its changes. */
export function status(): HTMLElement {
  const made = document.createElement('span');
  made.className = 'jp-Rucat-doc-status';
  made.setAttribute('role', 'status');
  return made;
}

/** Set the text only if it differs, so that screen readers announce it once. */
export function say(where: HTMLElement, words: string): void {
  if (where.textContent !== words) {
    where.textContent = words;
  }
}

/** Show or hide an element. */
export function show(element: HTMLElement, isShown: boolean): void {
  element.hidden = !isShown;
}
