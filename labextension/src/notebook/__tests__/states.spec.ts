/** Texts of the notebook toolbar, its menu and the status bar: they never claim an unknown state. */
import { nullTranslator } from '@jupyterlab/translation';

import { HOSTILE, engine, failed } from '../../__tests__/fixtures';
import type { Connection, ISession } from '../../tokens';
import { CommandIDs } from '../../tokens';
import type { ILink } from '../links';
import { linkOf } from '../links';
import type { Entry } from '../menu';
import { entriesOf } from '../menu';
import { summaryOf } from '../statusbar';
import { itemOf } from '../toolbar';

const trans = nullTranslator.load('rucat-jupyter');
const OK: Connection = { kind: 'ok' };
const etl = engine();
const NONE: ILink = { engine: undefined, kept: undefined, isBound: false, attempt: undefined };
const ATTACHED: ILink = { ...NONE, engine: etl, isBound: true };
const session = { path: '/w/a.ipynb' } as ISession;

describe('the link of a notebook', () => {
  const stopped = engine({ name: 'stopped', status: 'Stopped' });
  const known = (used: { id: string; variables: string[] }[] | null, isBusyUnknown = false) => ({
    used,
    isBusyUnknown
  });

  it('is the last engine that the kernel names, independent of sessions', () => {
    const used = [
      { id: stopped.id, variables: ['other'] },
      { id: etl.id, variables: ['spark'] }
    ];
    const found = linkOf(known(used), [etl, stopped], () => [stopped]);
    expect(found).toEqual({ engine: etl, kept: undefined, isBound: true });
  });

  it('is empty after a detach, although the session is kept', () => {
    const found = linkOf(known([]), [etl], () => [etl]);
    expect(found).toEqual({ engine: undefined, kept: etl, isBound: false });
  });

  it('is derived from the session while the kernel is busy', () => {
    const found = linkOf(known(null, true), [etl, stopped], () => [stopped, etl]);
    expect(found.engine).toBe(etl);
  });

  it('is not derived while a kernel starts, nor from an engine that is not live', () => {
    expect(linkOf(known(null), [etl], () => [etl]).engine).toBeUndefined();
    const found = linkOf(known(null, true), [stopped], () => [stopped]);
    expect([found.engine, found.kept]).toEqual([undefined, stopped]);
  });

  it('is empty when the engine is deleted', () => {
    const used = [{ id: 'gone', variables: ['spark'] }];
    expect(linkOf(known(used), [etl], () => []).engine).toBeUndefined();
  });

  it('cannot be detached if the user created the session', () => {
    expect(linkOf(known([{ id: etl.id, variables: [] }]), [etl], () => []).isBound).toBe(false);
  });
});

describe('the toolbar', () => {
  it('shows symbol, name and word', () => {
    const item = itemOf(ATTACHED, OK, trans);
    expect(item).toEqual({
      symbol: '●',
      name: 'etl',
      word: 'Running',
      title: 'Engine etl: Running'
    });
  });

  it('says why an engine failed, as text', () => {
    const link = { ...ATTACHED, engine: failed('OutOfMemory', HOSTILE.html) };
    const item = itemOf(link, OK, trans)!;
    expect([item.symbol, item.word]).toEqual(['✕', 'Failed']);
    expect(item.title).toContain(`Failed · OutOfMemory: ${HOSTILE.html}`);
  });

  it('shows an unknown state while the server does not respond', () => {
    const offline: Connection = {
      kind: 'offline',
      since: new Date('2026-03-01T12:00:00'),
      retryAt: null,
      message: ''
    };
    const item = itemOf(ATTACHED, offline, trans);
    expect(item).toEqual({
      symbol: '?',
      name: 'etl',
      word: 'Unknown',
      title: 'Engine etl: unknown, no response since 12:00'
    });
  });

  it.each([
    ['attach', 'kernel', 'Starting the kernel'],
    ['attach', 'queued', 'Waiting for the kernel'],
    ['attach', 'running', 'Attaching'],
    ['detach', 'running', 'Detaching']
  ] as const)('shows what is under way: %s, %s', (verb, phase, word) => {
    const item = itemOf({ ...NONE, attempt: { verb, name: 'etl', phase } }, OK, trans)!;
    expect([item.symbol, item.name, item.word]).toEqual(['◌', 'etl', word]);
  });

  it('says that no engine is attached, and which session is kept', () => {
    expect(itemOf(NONE, OK, trans)).toEqual({
      symbol: '',
      name: 'Engine',
      word: '',
      title: 'No engine is attached'
    });
    const kept = itemOf({ ...NONE, kept: etl }, OK, trans)!;
    expect(kept.title).toBe('No engine is attached; the session on etl is kept');
  });

  it('is hidden without the server extension', () => {
    expect(itemOf(NONE, { kind: 'missing' }, trans)).toBeNull();
  });
});

describe('the menu', () => {
  const ids = (entries: Entry[]): string[] =>
    entries.map(entry => (entry.kind === 'command' ? entry.command : entry.kind));
  const refs = (entries: Entry[]): unknown[] =>
    entries.flatMap(entry => (entry.kind === 'command' ? [entry.args['engine']] : []));

  it('offers the allowed actions of a running engine', () => {
    const entries = entriesOf(ATTACHED, [etl, engine({ name: 'wide' })], 'a.ipynb', trans);
    expect(ids(entries)).toEqual([
      'submenu',
      CommandIDs.detach,
      'separator',
      CommandIDs.logs,
      CommandIDs.history,
      CommandIDs.ui,
      'separator',
      CommandIDs.restart,
      CommandIDs.stop,
      'separator',
      CommandIDs.openPanel,
      CommandIDs.create
    ]);
    const others = entries[0] as Extract<Entry, { kind: 'submenu' }>;
    expect(refs(others.entries)).toEqual(['id-wide']);
  });

  it('has no Spark UI and no stop for a failed engine', () => {
    const link = { ...ATTACHED, engine: failed('Lost', '') };
    const commands = ids(entriesOf(link, [], 'a.ipynb', trans));
    expect(commands).toContain(CommandIDs.restart);
    expect(commands).not.toContain(CommandIDs.ui);
    expect(commands).not.toContain(CommandIDs.stop);
  });

  it('offers the kept engine first, then running ones, then the others', () => {
    const engines = [
      engine({ name: 'b', status: 'Stopped' }),
      engine({ name: 'c' }),
      engine({ name: 'a' }),
      engine({ name: 'gone', status: 'Deleting' }),
      engine({ name: 'kept', status: 'Stopped', sessions: [session] })
    ];
    const entries = entriesOf({ ...NONE, kept: engines[4] }, engines, 'a.ipynb', trans);
    expect(refs(entries).slice(0, 4)).toEqual(['id-kept', 'id-a', 'id-c', 'id-b']);
    expect(ids(entries).slice(-2)).toEqual([CommandIDs.create, CommandIDs.openPanel]);
  });

  it('refers to the panel if there are too many engines', () => {
    const engines = Array.from({ length: 40 }, (_, number) => engine({ name: `e${number}` }));
    const commands = ids(entriesOf(NONE, engines, 'a.ipynb', trans));
    expect(commands.filter(id => id === CommandIDs.attach)).toHaveLength(15);
    expect(commands[15]).toBe(CommandIDs.openPanel);
  });
});

describe('the status bar', () => {
  it.each([
    ['', []],
    ['', ['Stopped']],
    ['● 1 engine', ['Running', 'Stopped']],
    ['● 2 engines · ◌ 1 starting', ['Running', 'Pending', 'Running']],
    ['● 1 engine · ◐ 1 unresponsive · ✕ 2 failed', ['Unresponsive', 'Failed', 'Running', 'Failed']]
  ] as const)('says "%s"', (said, statuses) => {
    const engines = statuses.map((status, number) => engine({ name: `e${number}`, status }));
    expect(summaryOf(engines, OK, trans)).toBe(said);
  });

  it('does not count engines with an unknown state', () => {
    const since = new Date('2026-03-01T12:00:00');
    const offline: Connection = { kind: 'offline', since, retryAt: null, message: '' };
    expect(summaryOf([etl], offline, trans)).toBe('? engines: no response since 12:00');
    expect(summaryOf([etl], { kind: 'missing' }, trans)).toBe('');
  });
});
