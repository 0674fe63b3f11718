/**
 * Finds the engine that a command is about: the one that is named, or one that is chosen.
 */
import { InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, IEngineManager, IFrontNotebook } from './tokens';
import { plain, symbol } from './words';

/** What choosing rests on. */
export interface IChooser {
  manager: IEngineManager;
  front: IFrontNotebook | null;
  trans: TranslationBundle;
}

/**
 * The engine that is named; without a name a choice of those that fit, that of the notebook in front first.
 *
 * Returns null where there is none, or nothing was chosen.
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
