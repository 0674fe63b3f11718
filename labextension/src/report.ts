/**
 * Tells people what went wrong with what they asked for.
 */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { NO_ANSWER, NO_EXTENSION, RucatError } from './api';
import { plain } from './words';

/** How long a failure stays: it is to be read, and it is in the list of notifications afterwards. */
const SHOWN_MS = 20_000;

/** Show what went wrong: what was asked, what was answered, what to do where the answer does not say. */
export function report(trans: TranslationBundle, asked: string, error: unknown): void {
  const said = plain(error instanceof Error ? error.message : error);
  const hint = error instanceof RucatError ? hintOf(trans, error) : '';
  const message = [`${plain(asked, 80)}: ${said}`, hint].filter(Boolean).join(' ');
  Notification.error(message, { autoClose: SHOWN_MS });
}

function hintOf(trans: TranslationBundle, { code, status }: RucatError): string {
  if (code === NO_ANSWER && !status) {
    return trans.__('The server did not answer: look whether it was done before you ask again.');
  }
  if (code === NO_EXTENSION) {
    return trans.__('Install Rucat where the Jupyter server runs, and restart the server.');
  }
  if (status === 401 || status === 403) {
    return trans.__('Log in again: reload the page.');
  }
  return '';
}
