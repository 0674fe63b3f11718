/**
 * Drag and drop of an engine: a notebook gets an attach cell, any other editor gets its text.
 */
import { MimeData } from '@lumino/coreutils';
import { Drag } from '@lumino/dragdrop';

import type { IEngine } from '../tokens';
import { plain, symbol } from '../words';
import { attachSource } from './line';

/** MIME type of dragged cells in JupyterLab; notebooks accept it everywhere, also over cell editors. */
const CELLS = 'application/vnd.jupyter.cells';
/** Pixels of movement that start a drag. */
const THRESHOLD = 5;

/** Data of a dragged engine. */
export function dragData(engine: IEngine): MimeData {
  const source = attachSource(engine.name);
  const data = new MimeData();
  const cell = { cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null };
  data.setData(CELLS, [cell]);
  data.setData('text/plain', source);
  return data;
}

/** Start a drag when the mouse moves; call this on `mousedown`. */
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
  window.addEventListener('blur', stop, { signal }); // only of the window: `blur` of an input does not bubble
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

/** The drag image. */
function image(engine: IEngine): HTMLElement {
  const node = document.createElement('div');
  node.className = 'jp-Rucat-dragImage';
  node.textContent = `${symbol(engine)} ${plain(engine.name)}`;
  return node;
}
