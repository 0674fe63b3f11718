/**
 * Shows the errors of user actions.
 */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { NO_ANSWER, NO_EXTENSION, RucatError } from './api';
import { plain } from './words';

/** How long an error is visible; after that it is in the list of notifications. */
const SHOWN_MS = 20_000;

/** Show an error: the action, the message, and a hint if the message has none. */
export function report(trans: TranslationBundle, asked: string, error: unknown): void {
  const said = plain(error instanceof Error ? error.message : error);
  const hint = error instanceof RucatError ? hintOf(trans, error) : '';
  const message = [`${plain(asked, 80)}: ${said}`, hint].filter(Boolean).join(' ');
  Notification.error(message, { autoClose: SHOWN_MS });
}

/** What a part of the page shows whose call failed because of that. */
export function expiredWords(trans: TranslationBundle): string {
  return trans.__('Your Jupyter login has expired: log in again in another tab.');
}

function hintOf(trans: TranslationBundle, error: RucatError): string {
  const { code, status } = error;
  if (code === NO_ANSWER && !status) {
    return trans.__(
      'The server did not respond: check whether the action was done before you try again.'
    );
  }
  if (code === NO_EXTENSION) {
    return trans.__('Install Rucat where the Jupyter server runs, and restart the server.');
  }
  return '';
}
