/**
 * Short texts for the status of an engine: a symbol and a word, never colour alone.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, Status } from '../tokens';
import { plain, symbol } from '../words';

/** The translated status. */
export function wordOf(status: Status, trans: TranslationBundle): string {
  const words: { [status in Status]: string } = {
    Pending: trans.__('Pending'),
    Running: trans.__('Running'),
    Unresponsive: trans.__('Unresponsive'),
    Stopping: trans.__('Stopping'),
    Stopped: trans.__('Stopped'),
    Failed: trans.__('Failed'),
    Deleting: trans.__('Deleting')
  };
  return words[status] ?? status;
}

/** An engine in one line of a menu or a list. */
export function lineOf(engine: IEngine, trans: TranslationBundle): string {
  return `${symbol(engine)} ${plain(engine.name)}  ${wordOf(engine.status, trans)}`;
}

/** Whether an engine must be started before a notebook can attach to it. */
export function needsStart(engine: IEngine): boolean {
  return ['Stopped', 'Failed', 'Stopping'].includes(engine.status);
}
