/**
 * Filter and order of the list of engines.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, Status } from '../tokens';
import { plain, since, where } from '../words';

export type Sort = 'status' | 'name' | 'age';

/** Order by status: usable engines, failed ones, then the others. */
const RANKS: Readonly<Record<Status, number>> = {
  Failed: 1,
  Unresponsive: 0,
  Running: 0,
  Pending: 0,
  Stopping: 2,
  Stopped: 2,
  Deleting: 3
};

const names = new Intl.Collator(undefined, { numeric: true });

const ORDERS: Readonly<Record<Sort, (one: IEngine, other: IEngine) => number>> = {
  status: (one, other) => RANKS[one.status] - RANKS[other.status] || byName(one, other),
  name: byName,
  age: (one, other) => compare(since(other), since(one)) || byName(one, other)
};

/** Engines that contain every word of the filter in name, status, place or profile, sorted. */
export function arrange(
  trans: TranslationBundle,
  engines: ReadonlyArray<IEngine>,
  filter: string,
  sort: Sort
): IEngine[] {
  const asked = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = asked.length ? engines.filter(engine => has(trans, engine, asked)) : [...engines];
  return found.sort(ORDERS[sort]);
}

/** Keep the order of the visible engines, new ones last: rows do not move under the pointer. */
export function keepOrder(
  shown: ReadonlyArray<string>,
  engines: ReadonlyArray<IEngine>
): IEngine[] {
  const at = new Map(shown.map((id, index) => [id, index]));
  const place = ({ id }: IEngine) => at.get(id) ?? shown.length;
  return [...engines].sort((one, other) => place(one) - place(other));
}

function has(trans: TranslationBundle, engine: IEngine, asked: string[]): boolean {
  const text = [plain(engine.name), engine.status, where(trans, engine), engine.profile ?? '']
    .join(' ')
    .toLowerCase();
  return asked.every(word => text.includes(word));
}

function byName(one: IEngine, other: IEngine): number {
  return names.compare(one.name, other.name) || compare(one.id, other.id);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
