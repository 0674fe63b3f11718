/** The tabs in the page: their texts in each state of the engine. */
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { engine, HOSTILE } from '../../__tests__/fixtures';
import { LOGGED_OUT, RucatError } from '../../api';
import type { Connection, IEngine } from '../../tokens';
import { HistoryView } from '../history';
import { LogsView } from '../logs';
import { Slots } from '../slots';
import { hasUi, SANDBOX, UiView } from '../ui';

const trans = nullTranslator.load('');

class Engines {
  engines: IEngine[] = [];
  connection: Connection = { kind: 'ok' };
  ready = Promise.resolve();
  readonly changed = new Signal<any, void>(this);
  find = (id: string) => this.engines.find(each => each.id === id);

  become(...engines: IEngine[]): Promise<void> {
    this.engines = engines;
    this.changed.emit();
    return settle();
  }
}

async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await Promise.resolve();
  }
}

function attach<T extends Widget>(widget: T): T {
  Widget.attach(widget, document.body);
  return widget;
}

const asManager = (engines: Engines) => engines as any;

describe('UiView', () => {
  const api = { url: (relative: string) => `http://lab/user/x/${relative}` };
  let engines: Engines;
  let view: UiView;

  const open = (given: Partial<IEngine>) => {
    engines = new Engines();
    engines.engines = [engine({ id: 'e', ...given })];
    view = attach(new UiView({ id: 'e', name: 'etl', api, manager: asManager(engines), trans }));
  };
  const frame = () => view.node.querySelector('iframe')!;
  const said = () => view.node.querySelector('.jp-Rucat-doc-empty')!.textContent;

  afterEach(() => view.dispose());

  it('shows the page of a running engine in a frame with another origin', () => {
    open({});
    expect(frame().src).toBe('http://lab/user/x/rucat/engines/id-etl/ui/');
    expect(frame().hidden).toBe(false);
    expect(frame().getAttribute('sandbox')).toBe(SANDBOX);
    expect(SANDBOX).not.toContain('allow-same-origin');
  });

  it('says that the engine stopped, and shows the page of the next run', async () => {
    open({});
    await engines.become(engine({ id: 'e', status: 'Stopped', endpoint: null }));
    expect([frame().hidden, said()]).toEqual([
      true,
      'etl is Stopped. Its Spark UI is available while the engine runs.'
    ]);
    await engines.become(engine({ id: 'e', run: 2 }));
    expect([frame().hidden, frame().src]).toEqual([
      false,
      'http://lab/user/x/rucat/engines/id-etl/ui/'
    ]);
  });

  it.each([
    [{ platform: 'external' }, 'is an external engine'],
    [{ endpoint: { url: 'sc://x', ui_url: null } }, 'spark.ui.enabled=false'],
    [{ status: 'Failed' as const, endpoint: null }, 'etl is Failed']
  ])('has no page for %j', (given, words) => {
    open(given);
    expect(frame().hidden).toBe(true);
    expect(said()).toContain(words);
    expect(hasUi(engines.engines[0])).toBe(false);
  });

  it('says that the login has expired, above the page', async () => {
    open({});
    engines.connection = { kind: 'forbidden', message: '', isLoggedOut: true };
    await engines.become(engine({ id: 'e' }));
    expect(frame().hidden).toBe(false);
    expect(view.node.textContent).toContain('Your Jupyter login has expired: log in again');
  });

  it('says that the engine was deleted; the page stays during an outage', async () => {
    open({});
    engines.connection = { kind: 'offline', since: new Date(), retryAt: null, message: '' };
    await engines.become();
    expect(frame().hidden).toBe(false);
    engines.connection = { kind: 'ok' };
    await engines.become();
    expect(said()).toContain('etl was deleted');
  });
});

describe('HistoryView', () => {
  const at = '2026-03-01T12:00:00Z';
  const recorded = { at, actor: 'monitor', kind: 'running', reason: '', status: 'Running', run: 1 };
  const event = { ...recorded, revision: 1, name: 'etl' };

  it('reads again only when the engine has changed', async () => {
    const engines = new Engines();
    engines.engines = [engine({ id: 'e' })];
    const history = jest.fn(() => Promise.resolve([event]));
    const view = attach(
      new HistoryView({
        id: 'e',
        name: 'etl',
        api: { history },
        manager: asManager(engines),
        trans
      })
    );
    await settle();
    expect(view.node.textContent).toContain('Running: the engine responds');
    await engines.become(engine({ id: 'e' }));
    expect(history).toHaveBeenCalledTimes(1);
    await engines.become(engine({ id: 'e', revision: 4 }));
    expect(history).toHaveBeenCalledTimes(2);
    view.dispose();
  });

  it('says that the login has expired, and reads again after the next one', async () => {
    const engines = new Engines();
    engines.engines = [engine({ id: 'e' })];
    const history = jest.fn(() => Promise.resolve([event]));
    history.mockRejectedValueOnce(new RucatError('who?', LOGGED_OUT, 403));
    const options = { id: 'e', name: 'etl', api: { history }, manager: asManager(engines), trans };
    const view = attach(new HistoryView(options));
    await settle();
    expect(view.node.textContent).toContain('Your Jupyter login has expired: log in again');
    await engines.become(engine({ id: 'e' }));
    expect(view.node.textContent).not.toContain('login');
    expect(view.node.textContent).toContain('Running: the engine responds');
    view.dispose();
  });

  it('shows a deleted engine, and one that is unknown', async () => {
    const engines = new Engines();
    const history = jest.fn(() => Promise.resolve([{ ...event, reason: HOSTILE.html }]));
    const options = { id: 'e', name: 'etl', api: { history }, manager: asManager(engines), trans };
    const view = attach(new HistoryView(options));
    await settle();
    expect(view.node.textContent).toContain('etl was deleted');
    expect(view.node.textContent).toContain(HOSTILE.html);
    expect(view.node.querySelector('img')).toBeNull();
    view.dispose();
    history.mockRejectedValue(new RucatError('no', 'not_found', 404));
    const unknown = attach(new HistoryView(options));
    await settle();
    expect(unknown.node.textContent).toContain('There is no history of etl');
    unknown.dispose();
  });
});

describe('LogsView', () => {
  const open = (engines: Engines, slots = new Slots(), given = {}) =>
    attach(
      new LogsView({
        id: 'e',
        name: 'etl',
        manager: asManager(engines),
        slots,
        trans,
        save: jest.fn(),
        api: {
          follow: async function* (_: string, __: number, signal: AbortSignal) {
            yield `one ${HOSTILE.html}\ntwo\n`;
            await new Promise(resolve => signal.addEventListener('abort', resolve));
          },
          logs: jest.fn()
        } as any,
        ...given
      })
    );

  it('follows, shows lines as text, and shows its status', async () => {
    const engines = new Engines();
    engines.engines = [engine({ id: 'e' })];
    const view = open(engines);
    await settle();
    view.node.querySelector('.jp-Rucat-log')!.dispatchEvent(new Event('scroll'));
    await new Promise(requestAnimationFrame);
    expect(view.node.querySelector('.jp-Rucat-doc-status')!.textContent).toBe('Live');
    expect(view.node.querySelector('.jp-Rucat-log')!.textContent).toContain(HOSTILE.html);
    expect(view.node.querySelector('img')).toBeNull();
    view.dispose();
  });

  it('gives way to a third followed log', async () => {
    const engines = new Engines();
    engines.engines = [engine({ id: 'e' })];
    const slots = new Slots();
    const [first, second, third] = [1, 2, 3].map(() => open(engines, slots));
    await settle();
    const said = (view: LogsView) => view.node.querySelector('.jp-Rucat-doc-status')!.textContent;
    expect([said(first), said(second), said(third)]).toEqual([
      'Paused: two other logs are being followed',
      'Live',
      'Live'
    ]);
    const resume = [...first.node.querySelectorAll('button')].find(
      b => b.textContent === 'Resume'
    )!;
    expect(resume.hidden).toBe(false);
    resume.click();
    await settle();
    expect([said(first), said(second)]).toEqual([
      'Live',
      'Paused: two other logs are being followed'
    ]);
    [first, second, third].forEach(view => view.dispose());
  });

  it('downloads all lines, and shows an error', async () => {
    const engines = new Engines();
    engines.engines = [engine({ id: 'e' })];
    const save = jest.fn();
    const logs = jest.fn(() => Promise.resolve('all\n'));
    const follow = async function* () {
      yield 'one\n';
      await new Promise(() => undefined);
    };
    const view = open(engines, new Slots(), { save, api: { logs, follow } });
    const download = [...view.node.querySelectorAll('button')].find(
      b => b.textContent === 'Download'
    )!;
    download.click();
    await settle();
    expect(logs).toHaveBeenCalledWith('e', 100_000);
    expect(save).toHaveBeenCalledWith('etl.log', 'all\n');
    logs.mockRejectedValue(new RucatError('no platform here serves it', 'x', 503));
    download.click();
    await settle();
    expect(view.node.textContent).toContain('The download failed: no platform here serves it');
    view.dispose();
  });
});
