/** Drag and drop of an engine: a drag needs movement, and the dropped cell attaches the engine. */
import { Drag } from '@lumino/dragdrop';

import { engine } from '../../__tests__/fixtures';
import { dragData, startEngineDrag } from '../drag';
import { attachSource } from '../line';

const at = (type: string, x: number, y: number): MouseEvent =>
  new MouseEvent(type, { button: 0, clientX: x, clientY: y, bubbles: true });

let start: jest.SpyInstance;
beforeEach(() => {
  start = jest.spyOn(Drag.prototype, 'start').mockResolvedValue('copy');
});

it('starts once, when the pressed mouse has moved', () => {
  startEngineDrag(at('mousedown', 10, 10), engine());
  document.dispatchEvent(at('mousemove', 12, 12));
  expect(start).not.toHaveBeenCalled();
  document.dispatchEvent(at('mousemove', 20, 12));
  document.dispatchEvent(at('mousemove', 40, 12));
  expect(start.mock.calls).toEqual([[20, 12]]);
});

it('starts even if another input loses the focus', () => {
  const field = document.body.appendChild(document.createElement('input'));
  startEngineDrag(at('mousedown', 10, 10), engine());
  field.dispatchEvent(new FocusEvent('blur'));
  document.dispatchEvent(at('mousemove', 20, 12));
  expect(start).toHaveBeenCalledTimes(1);
});

it('does not start on a click, nor with another button', () => {
  startEngineDrag(at('mousedown', 10, 10), engine());
  document.dispatchEvent(at('mouseup', 10, 10));
  startEngineDrag(new MouseEvent('mousedown', { button: 2 }), engine());
  document.dispatchEvent(at('mousemove', 50, 50));
  expect(start).not.toHaveBeenCalled();
});

it('provides a cell for notebooks and text for editors', () => {
  const data = dragData(engine({ name: 'my etl' }));
  const [cell] = data.getData('application/vnd.jupyter.cells');
  expect(cell).toMatchObject({ cell_type: 'code', source: attachSource('my etl'), outputs: [] });
  expect(data.getData('text/plain')).toBe(attachSource('my etl'));
});
