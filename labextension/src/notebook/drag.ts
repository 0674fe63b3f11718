/**
 * Dragging an engine: into a notebook it becomes a cell that attaches it, into any other editor the line.
 */
import { MimeData } from '@lumino/coreutils';
import { Drag } from '@lumino/dragdrop';

import type { IEngine } from '../tokens';
import { plain, symbol } from '../words';
import { attachSource } from './line';

/** As JupyterLab's notebooks name cells that are dragged; they take them anywhere, editors of cells included. */
const CELLS = 'application/vnd.jupyter.cells';
/** Pixels of movement that make a press a drag. */
const THRESHOLD = 5;

/** What an engine is to those on whom it is dropped. */
export function dragData(engine: IEngine): MimeData {
  const source = attachSource(engine.name);
  const data = new MimeData();
  const cell = { cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null };
  data.setData(CELLS, [cell]);
  data.setData('text/plain', source);
  return data;
}

/** Drag an engine once the pressed mouse moves: to be called when the main button goes down on it. */
export function startEngineDrag(event: MouseEvent, engine: IEngine): void {
  if (event.button !== 0) {
    return;
  }
  const watch = new AbortController();
  const { signal } = watch;
  const move = (moved: MouseEvent): void => {
    const far = Math.hypot(moved.clientX - event.clientX, moved.clientY - event.clientY);
    if (far >= THRESHOLD) {
      watch.abort();
      void drag(engine).start(moved.clientX, moved.clientY);
    }
  };
  document.addEventListener('mousemove', move, { capture: true, signal });
  const stop = (): void => watch.abort();
  window.addEventListener('mouseup', stop, { capture: true, signal });
  window.addEventListener('blur', stop, { signal }); // the window's own: fields that lose the focus do not bubble
}

function drag(engine: IEngine): Drag {
  return new Drag({
    mimeData: dragData(engine),
    dragImage: image(engine),
    supportedActions: 'copy',
    proposedAction: 'copy',
    source: null
  });
}

/** What hangs on the mouse. */
function image(engine: IEngine): HTMLElement {
  const node = document.createElement('div');
  node.className = 'jp-Rucat-dragImage';
  node.textContent = `${symbol(engine)} ${plain(engine.name)}`;
  return node;
}
