/**
 * The cell of a notebook that attaches its engine: found, changed, or inserted.
 *
 * It comes before the first code cell, so that "Run All" attaches before any code needs `spark`; a title stays above it.
 * Attach cells with other code of the user are not changed; a new cell then comes below them, so that "Run All" ends
 * with the engine that was chosen last.
 */
import type { ISharedNotebook } from '@jupyter/ydoc';

import { LOAD, attachSource, attaches, parseCell, withName } from './line';

/** A change of the cells of a notebook. */
export type Change =
  | { kind: 'use'; index: number }
  | { kind: 'update'; index: number; source: string }
  | { kind: 'insert'; index: number; source: string };

/** The relevant parts of a cell. */
export interface ICellText {
  isCode: boolean;
  source: string;
}

/** The change that makes the notebook attach an engine. */
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

/** Apply a change as one undo step; returns the index of the cell. */
export function apply(notebook: ISharedNotebook, change: Change): number {
  if (change.kind === 'insert') {
    notebook.insertCell(change.index, {
      cell_type: 'code',
      source: change.source,
      metadata: { trusted: true } // the user requested it
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

/** Index of a new cell: below the last cell that attaches, else before the first code cell. */
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
