import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { engine, failed, HOSTILE } from '../../__tests__/fixtures';
import type { Connection, IEngine } from '../../tokens';
import { EngineOutput, MIME } from '../renderer';

const BRIEF = {
  id: 'id-etl',
  name: 'etl',
  status: 'Running',
  as_of: new Date().toISOString(),
  is_moved: false
};

describe('EngineOutput', () => {
  const engines = {
    engines: [] as IEngine[],
    connection: { kind: 'ok' } as Connection,
    changed: new Signal<any, void>({}),
    find: (id: string) => engines.engines.find(each => each.id === id)
  };
  const actions = { attach: jest.fn(), start: jest.fn(), show: jest.fn(), wasHere: jest.fn() };
  let output: EngineOutput;

  beforeEach(() => {
    engines.engines = [engine()];
    engines.connection = { kind: 'ok' };
    actions.wasHere.mockResolvedValue(true);
    output = new EngineOutput(engines, actions, nullTranslator.load(''));
  });

  afterEach(() => output.dispose());

  const render = async (data: unknown = BRIEF) => {
    await output.renderModel({ data: { [MIME]: data } } as any);
    await Promise.resolve();
    await Promise.resolve();
  };
  const text = () => output.node.querySelector('[role=status]')!.textContent;
  const button = (label: string) =>
    [...output.node.querySelectorAll('button')].find(found => found.textContent === label);

  it('shows the current state, and attaches by id', async () => {
    await render();
    expect(text()).toBe('●etl · Running now');
    expect(output.node.textContent).toContain('%rucat attach etl');
    button('Attach')!.click();
    expect(actions.attach).toHaveBeenCalledWith(engines.engines[0]);
    button('Details')!.click();
    expect(actions.show).toHaveBeenCalledTimes(1);
  });

  it('follows changes: a failure with its reason, and a start', async () => {
    await render();
    engines.engines = [failed('OutOfMemory', 'too much')];
    engines.changed.emit();
    expect(text()).toBe('✕etl · Failed: OutOfMemory now');
    expect(button('Attach')).toBeUndefined();
    button('Start')!.click();
    expect(actions.start).toHaveBeenCalledWith(engines.engines[0]);
  });

  it.each<Connection['kind']>(['loading', 'offline', 'missing', 'forbidden'])(
    'says as of when while the list is %s',
    async kind => {
      engines.connection = { kind } as Connection;
      await render();
      expect(text()).toMatch(/^etl · Running as of \d\d:\d\d$/);
      expect(output.node.querySelector('button')).toBeNull();
    }
  );

  it('says that the engine was deleted, or that it never existed here', async () => {
    engines.engines = [];
    await render();
    expect(text()).toBe('etl · deleted');
    actions.wasHere.mockResolvedValue(false);
    await render();
    expect(text()).toMatch(/^etl · Running as of .* · unknown on this server$/);
  });

  it('has no buttons if the card has moved to a later cell', async () => {
    await render({ ...BRIEF, is_moved: true });
    expect(text()).toBe('●etl · Running now · its card is in a later cell');
    expect(output.node.querySelector('button')).toBeNull();
  });

  it('shows any data in a notebook as text', async () => {
    engines.connection = { kind: 'loading' };
    await render({ ...BRIEF, name: HOSTILE.html, status: HOSTILE.ansi, as_of: HOSTILE.script });
    expect(text()).toBe(`${HOSTILE.html} · red as of ?`);
    expect(output.node.querySelector('img')).toBeNull();
    for (const data of [null, 'text', 7, [], { name: { toString: 1 } }]) {
      await render(data);
      expect(output.node.querySelector('[role=status]')).not.toBeNull();
    }
  });
});
