/**
 * Finds the engine for a command: by id or name, or by asking the user.
 */
import { InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, IEngineManager, IFrontNotebook } from './tokens';
import { plain, symbol } from './words';

/** Dependencies of `chooseEngine`. */
export interface IChooser {
  manager: IEngineManager;
  front: IFrontNotebook | null;
  trans: TranslationBundle;
}

/**
 * Find the engine by `ref`; without a `ref` the user chooses one that `fits`, that of the current notebook first.
 *
 * Returns null when there is none or the user cancels.
 */
export async function chooseEngine(
  { manager, front, trans }: IChooser,
  ref: unknown,
  title: string,
  fits: (engine: IEngine) => boolean
): Promise<IEngine | null> {
  if (typeof ref === 'string' && ref) {
    return manager.find(ref) ?? null;
  }
  const found = manager.engines.filter(fits);
  const own = front?.engine?.id;
  const sorted = [...found].sort((a, b) => Number(b.id === own) - Number(a.id === own));
  const items = sorted.map(engine => `${symbol(engine)} ${plain(engine.name)}  ${engine.status}`);
  if (!items.length) {
    return null;
  }
  const { value } = await InputDialog.getItem({
    title,
    items,
    label: trans.__('Engine'),
    okLabel: trans.__('Choose')
  });
  return value === null ? null : (sorted[items.indexOf(value)] ?? null);
}
