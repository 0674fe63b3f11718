/**
 * The one cell of a notebook that attaches its engine: found, changed, or put in.
 *
 * It stands before the first code, so that "run all" attaches before anything needs `spark`; a title above stays
 * above. Cells that the user wrote with more in them are left alone, and a new cell then comes below them, so that
 * "run all" ends with the engine that was chosen last.
 */
import type { ISharedNotebook } from '@jupyter/ydoc';

import { LOAD, attachSource, attaches, parseCell, withName } from './line';

/** What to do to a notebook's cells. */
export type Change =
  | { kind: 'use'; index: number }
  | { kind: 'update'; index: number; source: string }
  | { kind: 'insert'; index: number; source: string };

/** A cell, as far as it matters here. */
export interface ICellText {
  isCode: boolean;
  source: string;
}

/** What makes the notebook attach that engine. */
export function changeFor(cells: ReadonlyArray<ICellText>, name: string): Change {
  const parsed = cells.map(cell => (cell.isCode ? parseCell(cell.source) : null));
  const same = lastIndex(parsed, cell => cell?.name === name);
  const index =
    same >= 0 ? same : lastIndex(parsed, cell => cell?.verb === 'attach' && cell.isPlain);
  if (index < 0) {
    return { kind: 'insert', index: placeIn(cells), source: attachSource(name) };
  }
  const before = cells[index].source;
  const named = same >= 0 ? before : withName(before, name);
  const source = parsed[index]!.loads ? named : `${LOAD}\n${named}`;
  return source === before ? { kind: 'use', index } : { kind: 'update', index, source };
}

/** Apply it, as one step that the notebook can undo; returns the cell's index. */
export function apply(notebook: ISharedNotebook, change: Change): number {
  if (change.kind === 'insert') {
    notebook.insertCell(change.index, {
      cell_type: 'code',
      source: change.source,
      metadata: { trusted: true } // the user asked for it
    });
  } else if (change.kind === 'update') {
    notebook.transact(() => notebook.getCell(change.index).setSource(change.source));
  }
  return change.index;
}

/** The cells of a notebook. */
export function cellsOf(notebook: ISharedNotebook): ICellText[] {
  return notebook.cells.map(cell => ({
    isCode: cell.cell_type === 'code',
    source: cell.getSource()
  }));
}

/** Where a new cell goes: below the last that attaches, else before the first code. */
function placeIn(cells: ReadonlyArray<ICellText>): number {
  const last = lastIndex(cells, cell => cell.isCode && attaches(cell.source));
  if (last >= 0) {
    return last + 1;
  }
  const first = cells.findIndex(cell => cell.isCode);
  return first < 0 ? cells.length : first;
}

function lastIndex<T>(items: ReadonlyArray<T>, test: (item: T) => boolean): number {
  return items.reduce((found, item, index) => (test(item) ? index : found), -1);
}
