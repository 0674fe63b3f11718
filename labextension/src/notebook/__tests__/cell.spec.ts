/** The attach cell: its position, that there is only one, and undo. */
import { YNotebook } from '@jupyter/ydoc';

import { apply, cellsOf, changeFor } from '../cell';
import { attachSource } from '../line';

function notebook(...cells: [type: 'code' | 'markdown', source: string][]): YNotebook {
  const made = new YNotebook({ disableDocumentWideUndoRedo: true });
  made.insertCells(
    0,
    cells.map(([cell_type, source]) => ({ cell_type, source, metadata: {} }))
  );
  made.undoManager.clear();
  return made;
}

const sources = (made: YNotebook): string[] => made.cells.map(cell => cell.getSource());
const attach = (made: YNotebook, name: string): number =>
  apply(made, changeFor(cellsOf(made), name));

// Yjs warns because of the way @jupyter/ydoc creates cells
beforeEach(() => jest.spyOn(console, 'warn').mockImplementation(() => undefined));

describe('attaching', () => {
  it('puts the cell before the first code, below the title', () => {
    const made = notebook(['markdown', '# Title'], ['code', 'import x'], ['code', 'x.y()']);
    expect(attach(made, 'etl')).toBe(1);
    expect(sources(made)).toEqual(['# Title', attachSource('etl'), 'import x', 'x.y()']);
    expect(made.getCell(1).cell_type).toBe('code');
  });

  it('keeps the empty cell of a new notebook below', () => {
    const made = notebook(['code', '']);
    expect(attach(made, 'etl')).toBe(0);
    expect(sources(made)).toEqual([attachSource('etl'), '']);
  });

  it('works in a notebook without cells, or without code', () => {
    const empty = notebook();
    attach(empty, 'etl');
    expect(sources(empty)).toEqual([attachSource('etl')]);
    const text = notebook(['markdown', '# Title']);
    expect(attach(text, 'etl')).toBe(1);
  });

  it('is undone in one step', () => {
    const made = notebook(['code', 'import x']);
    attach(made, 'etl');
    made.undo();
    expect(sources(made)).toEqual(['import x']);
  });

  it('runs the same cell again', () => {
    const made = notebook(['code', 'import x']);
    attach(made, 'etl');
    expect(changeFor(cellsOf(made), 'etl')).toEqual({ kind: 'use', index: 0 });
  });

  it('updates the cell for another engine, adds no second one, and is undone in one step', () => {
    const made = notebook(['code', 'import x']);
    attach(made, 'etl');
    made.undoManager.stopCapturing(); // time passes
    expect(attach(made, 'my wide')).toBe(0);
    expect(sources(made)).toEqual([attachSource('my wide'), 'import x']);
    made.undo();
    expect(sources(made)).toEqual([attachSource('etl'), 'import x']);
  });

  it('adds the line that loads Rucat to a cell of the user without it', () => {
    const made = notebook(['code', '%rucat attach etl']);
    attach(made, 'etl');
    expect(sources(made)).toEqual([attachSource('etl')]);
  });

  it("runs the user's own create cell of that engine as it is", () => {
    const source = '%load_ext rucat_jupyter\n%rucat create etl --profile k8s-small';
    const made = notebook(['code', 'import x'], ['code', source]);
    expect(changeFor(cellsOf(made), 'etl')).toEqual({ kind: 'use', index: 1 });
  });

  it("keeps the user's create cell of another engine, and inserts below it", () => {
    const source = '%rucat create etl --executors 4';
    const made = notebook(['code', 'import x'], ['code', source], ['code', 'spark.range(1)']);
    expect(attach(made, 'wide')).toBe(2);
    expect(sources(made)).toEqual(['import x', source, attachSource('wide'), 'spark.range(1)']);
  });

  it('does not change a cell with a variable as engine, nor one with other code', () => {
    const own = ['%rucat attach $which', '%rucat attach etl\nspark.range(1)'];
    const made = notebook(['code', own[0]], ['code', own[1]]);
    attach(made, 'wide');
    expect(sources(made)).toEqual([...own, attachSource('wide')]);
  });

  it('does not treat text about attaching as code', () => {
    const made = notebook(['markdown', attachSource('etl')], ['code', '']);
    expect(attach(made, 'etl')).toBe(1);
  });
});
