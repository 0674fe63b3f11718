/**
 * The panel as users see it: states, rows, keys, labels.
 */
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { act, fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';

import { FakeApi } from '../../__tests__/fakes';
import { engine, failed, HOSTILE } from '../../__tests__/fixtures';
import type { Connection, IEngine, IFrontNotebook } from '../../tokens';
import { CommandIDs } from '../../tokens';
import { Clock } from '../clock';
import { PanelProvider } from '../context';
import type { Sort } from '../order';
import { Panel } from '../panel';

const trans = nullTranslator.load('test');

/** The panel with a list, as a part of a page. */
function show(
  engines: IEngine[],
  connection: Connection = { kind: 'ok' },
  front: IFrontNotebook | null = null
) {
  const api = new FakeApi();
  api.engines = engines;
  const run = jest.fn();
  const openMenu = jest.fn();
  const refresh = jest.fn(() => Promise.resolve());
  const context = {
    api: api.asApi,
    clock: new Clock(),
    commands: new CommandRegistry(),
    trans,
    run,
    openMenu
  };
  function Whole(props: { engines: IEngine[] }) {
    const [sort, setSort] = React.useState<Sort>('status');
    const [openId, setOpenId] = React.useState<string | null>(null);
    const manager = { engines: props.engines, connection, refresh } as any;
    return (
      <PanelProvider value={context}>
        <Panel
          manager={manager}
          front={front}
          sort={sort}
          openId={openId}
          onSort={setSort}
          onToggle={id => setOpenId(was => (was === id ? null : id))}
        />
      </PanelProvider>
    );
  }
  const found = render(<Whole engines={engines} />);
  const rerender = (next: IEngine[]) => found.rerender(<Whole engines={next} />);
  return { ...found, api, openMenu, refresh, rerender, run };
}

/** Names in visible order. */
function names(): string[] {
  const rows = [...document.querySelectorAll<HTMLElement>('.jp-Rucat-row')];
  rows.sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top));
  return rows.map(row => row.querySelector('.jp-Rucat-name')!.textContent);
}

function row(name: string): HTMLElement {
  return screen
    .getByText(name, { selector: '.jp-Rucat-head .jp-Rucat-name' })
    .closest('.jp-Rucat-row')!;
}

function head(name: string): HTMLElement {
  return row(name).querySelector('.jp-Rucat-head')!;
}

beforeEach(() => {
  // a list of 640 pixels: jsdom has no layout
  jest.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(640);
});

describe('states', () => {
  it('says that it loads', () => {
    show([], { kind: 'loading' });
    expect(screen.getByRole('status').textContent).toContain('Loading');
  });

  it('says how to create the first engine', () => {
    const { run } = show([]);
    expect(screen.getByText(/%rucat create in a notebook/)).toBeTruthy();
    fireEvent.click(screen.getByText('Create engine'));
    expect(run).toHaveBeenCalledWith(CommandIDs.create, {});
  });

  it('shows start of the outage, next retry, what to do, and the old list', () => {
    const retryAt = new Date(Date.now() + 3000);
    const since = new Date(2026, 2, 1, 14, 3);
    const message = 'the gateway did not answer';
    const { refresh } = show([engine()], { kind: 'offline', since, retryAt, message });
    const alert = screen.getByRole('alert');
    expect(alert.textContent).toContain('gateway has not responded since 14:03');
    expect(alert.textContent).toContain('Retrying in 3 s');
    fireEvent.click(within(alert).getByText('Try now'));
    expect(refresh).toHaveBeenCalledTimes(1);
    fireEvent.click(within(alert).getByText('What to do'));
    expect(alert.textContent).toContain('rucat serve --replace');
    expect(names()).toEqual(['etl']);
  });

  it('distinguishes a lost Jupyter server from a lost gateway', () => {
    const lost = { since: new Date(), retryAt: null, message: 'Failed to fetch' };
    show([], { kind: 'offline', ...lost });
    expect(screen.getByRole('alert').textContent).toContain('The Jupyter server has not responded');
  });

  it('says how to install the missing extension', () => {
    show([], { kind: 'missing' });
    fireEvent.click(screen.getByText('What to do'));
    expect(screen.getByText('pip install .')).toBeTruthy();
  });

  it('says that the user has no permission', () => {
    show([], { kind: 'forbidden', message: 'not you', isLoggedOut: false });
    expect(screen.getByRole('alert').textContent).toContain('not you');
  });

  it('says that the login has expired, and opens the login page in another tab', () => {
    const open = jest.spyOn(window, 'open').mockReturnValue(null);
    show([], { kind: 'forbidden', message: 'Forbidden', isLoggedOut: true });
    expect(screen.getByRole('alert').textContent).toContain('login has expired: log in again');
    fireEvent.click(screen.getByText('Log in'));
    expect(open).toHaveBeenCalledWith(expect.stringMatching(/\/login$/), '_blank', 'noopener');
  });

  it('says that the filter matches nothing, and how to clear it', () => {
    show([engine()]);
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'missing' } });
    expect(screen.getByText(/No engine matches “missing”/)).toBeTruthy();
    fireEvent.click(screen.getByText('Show all'));
    expect(names()).toEqual(['etl']);
  });
});

describe('rows', () => {
  it('show name, status, place, profile, age, executors, notebooks', () => {
    const executors = { wanted: 2, running: 2, pending: 0, failed: 0, reasons: [] };
    show([engine({ executors, sessions: [{ key: 'k', path: '/x/a.ipynb' } as any] })]);
    const text = row('etl').textContent;
    for (const word of [
      'Running',
      'this machine · local · 2 of 2 executors · 1 notebook',
      'Attach'
    ]) {
      expect(text).toContain(word);
    }
    expect(row('etl').querySelector('.jp-Rucat-age')!.textContent).toMatch(/^\d+ \w+$/);
  });

  it('show untrusted content as text', async () => {
    const message = `${HOSTILE.html} ${HOSTILE.script} ${HOSTILE.ansi} ${HOSTILE.rtl}`;
    const hostile = failed(HOSTILE.html, message, {
      name: HOSTILE.html,
      profile: HOSTILE.html,
      spec: { ...engine().spec, image: HOSTILE.html },
      sessions: [{ key: 'k', path: `/x/${HOSTILE.html}` } as any]
    });
    show([hostile]);
    await act(async () => void fireEvent.click(document.querySelector('.jp-Rucat-head')!));
    expect(document.querySelectorAll('img, script, a')).toHaveLength(0);
    const text = document.body.textContent;
    expect(text).toContain(HOSTILE.html);
    expect(text).toContain(HOSTILE.script);
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('\u202e');
  });

  it('offer the remedy of a failure first', () => {
    const { run } = show([failed('OutOfMemory', 'It was all used.', { name: 'train' })]);
    expect(row('train').textContent).toContain('OutOfMemory: It was all used.');
    fireEvent.click(within(row('train')).getByText('Restart with 4 GB'));
    expect(run).toHaveBeenCalledWith(CommandIDs.restart, { engine: 'id-train', memory: '4g' });
  });

  it.each([
    ['Running', 'Attach', CommandIDs.attach],
    ['Unresponsive', 'Attach', CommandIDs.attach],
    ['Pending', 'Stop', CommandIDs.stop],
    ['Stopped', 'Start', CommandIDs.restart]
  ])('of status %s offer %s', (status, label, command) => {
    const { run } = show([engine({ status: status as any })]);
    fireEvent.click(within(row('etl')).getByText(label));
    expect(run).toHaveBeenCalledWith(command, { engine: 'id-etl' });
  });

  it('offer no action while the user can only wait', () => {
    show([engine({ status: 'Deleting', verbs: [] })]);
    expect(within(row('etl')).getAllByRole('button')).toHaveLength(2); // the row itself, and its menu
  });

  it('are not rendered again when another row changes', () => {
    const [one, other] = [engine(), engine({ name: 'other' })];
    const { rerender } = show([one, other]);
    const before = row('other');
    rerender([{ ...one, status: 'Stopping' }, other]);
    expect(row('other')).toBe(before);
    expect(row('etl').dataset.status).toBe('Stopping');
  });

  it('mark the engine of the current notebook', () => {
    const one = engine();
    const front = { path: 'work/a.ipynb', engine: one, changed: new Signal<any, void>({}) };
    const { run } = show([one, engine({ name: 'other' })], { kind: 'ok' }, front);
    expect(row('etl').dataset.front).toBe('true');
    expect(row('etl').textContent).toContain('this notebook');
    expect(row('other').dataset.front).toBeUndefined();
    fireEvent.click(screen.getByText('Detach'));
    expect(run).toHaveBeenCalledWith(CommandIDs.detach, { path: 'work/a.ipynb' });
  });

  it('are only in the DOM if visible, however many there are', () => {
    const many = Array.from({ length: 500 }, (_, i) => engine({ name: `e${1000 + i}` }));
    show(many);
    expect(names().length).toBeLessThan(40);
    const list = screen.getByRole('list', { name: 'Engines' });
    expect(list.style.height).toBe(`${500 * 64}px`);
    const scroller = list.parentElement!;
    scroller.scrollTop = 250 * 64;
    act(() => void scroller.dispatchEvent(new Event('scroll')));
    expect(names()).toContain('e1255');
    expect(row('e1255').getAttribute('aria-posinset')).toBe('256');
    expect(row('e1255').getAttribute('aria-setsize')).toBe('500');
  });
});

describe('order', () => {
  const engines = [
    engine({ name: 'b', status: 'Stopped', stopped_at: '2026-03-01T11:59:00Z' }),
    engine({ name: 'a10' }),
    engine({ name: 'a9', started_at: '2026-03-01T11:00:00Z' }),
    failed('Exited', 'x', { name: 'c' })
  ];

  it.each([
    ['status', ['a9', 'a10', 'c', 'b']],
    ['name', ['a9', 'a10', 'b', 'c']],
    ['age', ['b', 'c', 'a9', 'a10']]
  ])('by %s', (sort, expected) => {
    show(engines);
    fireEvent.change(screen.getByRole('combobox'), { target: { value: sort } });
    expect(names()).toEqual(expected);
  });

  it('does not change while the pointer is on the list', () => {
    const { rerender } = show(engines);
    const scroller = document.querySelector('.jp-Rucat-scroller')!;
    fireEvent.pointerEnter(scroller);
    const changed = engines.map(e => (e.name === 'a9' ? { ...e, status: 'Stopped' as const } : e));
    rerender(changed);
    expect(names()).toEqual(['a9', 'a10', 'c', 'b']);
    fireEvent.pointerLeave(scroller);
    expect(names()).toEqual(['a10', 'c', 'a9', 'b']);
  });

  it.each([
    ['a9', ['a9']],
    ['failed', ['c']],
    ['machine stopped', ['b']],
    ['LOCAL', ['a9', 'a10', 'c', 'b']]
  ])('contains only engines with all words of the filter: %s', (filter, expected) => {
    show(engines);
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: filter } });
    expect(names()).toEqual(expected);
  });
});

describe('keys', () => {
  const press = (name: string, key: string) => fireEvent.keyDown(head(name), { key });
  const focused = () => document.activeElement?.querySelector('.jp-Rucat-name')?.textContent;
  const three = ['a', 'b', 'c'].map(name => engine({ name }));

  it('Tab reaches one row; arrows, Home and End reach the others', () => {
    show(three);
    const reachable = [...document.querySelectorAll('.jp-Rucat-head[tabindex="0"]')];
    expect(reachable).toEqual([head('a')]);
    act(() => head('a').focus());
    press('a', 'ArrowDown');
    expect(focused()).toBe('b');
    press('b', 'End');
    expect(focused()).toBe('c');
    press('c', 'ArrowDown');
    expect(focused()).toBe('c');
    press('c', 'Home');
    expect(focused()).toBe('a');
    press('a', 'ArrowUp');
    expect(focused()).toBe('a');
  });

  it('End reaches a row that was not visible', () => {
    show(Array.from({ length: 300 }, (_, i) => engine({ name: `e${1000 + i}` })));
    act(() => head('e1000').focus());
    press('e1000', 'End');
    expect(focused()).toBe('e1299');
  });

  it('keep working when the focused row disappears', () => {
    const { rerender } = show(three);
    act(() => head('b').focus());
    rerender([three[0], three[2]]);
    expect(focused()).toBe('c');
    rerender([three[0]]);
    expect(focused()).toBe('a');
  });

  it('Enter attaches, Delete asks, the menu key opens the menu', () => {
    const { openMenu, run } = show(three);
    act(() => head('a').focus());
    press('a', 'Enter');
    expect(run).toHaveBeenLastCalledWith(CommandIDs.attach, { engine: 'id-a' });
    press('a', 'Delete');
    expect(run).toHaveBeenLastCalledWith(CommandIDs.remove, { engine: 'id-a' });
    fireEvent.contextMenu(head('a'));
    expect(openMenu.mock.calls[0][0]).toBe('id-a');
  });

  it('Space and arrows open and close the details', async () => {
    show(three);
    act(() => head('b').focus());
    await act(async () => void press('b', ' '));
    expect(head('b').getAttribute('aria-expanded')).toBe('true');
    expect(screen.getByRole('region', { name: 'Details of b' })).toBeTruthy();
    press('b', 'ArrowRight');
    expect(head('b').getAttribute('aria-expanded')).toBe('true');
    press('b', 'ArrowLeft');
    expect(head('b').getAttribute('aria-expanded')).toBe('false');
  });

  it('of other parts are not handled', () => {
    const { run } = show(three);
    fireEvent.keyDown(within(row('a')).getByText('Attach'), { key: 'Delete' });
    fireEvent.keyDown(head('a'), { key: 'Delete', ctrlKey: true });
    expect(run).not.toHaveBeenCalled();
  });
});
