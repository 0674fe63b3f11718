/**
 * The list of engines is current, with few requests.
 */
import { Signal } from '@lumino/signaling';

import { LOGGED_OUT, loggedOut, NO_ANSWER, NO_EXTENSION, RucatError } from '../../api';
import { FakeApi, settled } from '../../__tests__/fakes';
import { engine, failed } from '../../__tests__/fixtures';
import { LOGIN_MS, LOOK_MS, QUIET_MS, RECOVER_MS } from '../connection';
import { EngineManager } from '../manager';

const OWNER = {};

describe('EngineManager', () => {
  let api: FakeApi;
  let bus: Signal<any, any>;
  let trouble: Signal<any, unknown>;
  let manager: EngineManager;
  let changes: number;

  const pass = async (ms: number) => {
    await jest.advanceTimersByTimeAsync(ms);
    await settled();
  };
  const hint = async (changed: { id: string; revision: number }[], removed: string[] = []) => {
    bus.emit({ schema_id: 'urn:rucat:engines', changed, removed });
    await pass(1);
  };
  const status = (id = 'id-etl') => manager.find(id)?.status;

  beforeEach(async () => {
    jest.useFakeTimers();
    api = new FakeApi();
    api.engines = [engine(), engine({ name: 'other' })];
    bus = new Signal(OWNER);
    trouble = new Signal(OWNER);
    manager = new EngineManager({
      api: api.asApi,
      events: bus as any,
      trouble,
      standby: () => document.hidden
    });
    changes = 0;
    manager.changed.connect(() => (changes += 1));
    manager.start();
    await pass(1);
  });

  afterEach(() => {
    manager.dispose();
    jest.useRealTimers();
  });

  it('reads once at the start, and then is ready', async () => {
    await manager.ready;
    expect(api.calls).toEqual(['list']);
    expect(manager.connection).toEqual({ kind: 'ok' });
    expect(manager.engines.map(({ name }) => name)).toEqual(['etl', 'other']);
    expect(manager.find('other')?.id).toBe('id-other');
    expect(manager.find('id-other')?.name).toBe('other');
    expect(manager.find('missing')).toBeUndefined();
  });

  it('requests only the token while nothing changes, and at most every 5 s', async () => {
    await pass(60_000);
    expect(new Set(api.calls.slice(1))).toEqual(new Set(['token']));
    expect(api.calls.length - 1).toBeLessThanOrEqual(12);
    expect(changes).toBe(1);
  });

  it('polls rarely while all engines are settled', async () => {
    api.engines = [failed('Exited', 'it ended')];
    await manager.refresh();
    api.calls = [];
    await pass(QUIET_MS - 1000);
    expect(api.calls).toEqual([]);
    await pass(2000);
    expect(api.calls).toEqual(['token']);
  });

  it('notices changes without an event at the next poll', async () => {
    api.change('id-etl', { status: 'Unresponsive' });
    await pass(LOOK_MS + 10);
    expect(status()).toBe('Unresponsive');
  });

  it('keeps the objects of engines that did not change', async () => {
    const [etl, other] = manager.engines;
    api.change('id-etl', { status: 'Unresponsive' });
    api.engines = api.engines.map(found => ({ ...found }));
    await manager.refresh();
    expect(manager.find('id-other')).toBe(other);
    expect(manager.find('id-etl')).not.toBe(etl);
  });

  it('updates fields that change without a new revision', async () => {
    api.engines = api.engines.map(found => ({ ...found, last_used_at: '2026-03-01T11:59:00Z' }));
    await manager.refresh();
    expect(manager.engines[0].last_used_at).toBe('2026-03-01T11:59:00Z');
  });

  describe('events', () => {
    it('trigger a read immediately', async () => {
      const { revision } = api.change('id-etl', { status: 'Stopping' });
      await hint([{ id: 'id-etl', revision }]);
      expect(status()).toBe('Stopping');
    });

    it('trigger no read if they contain nothing new', async () => {
      api.calls = [];
      await hint([{ id: 'id-etl', revision: 3 }], ['id-gone']);
      expect(api.calls).toEqual([]);
    });

    it('of other schemas are ignored', async () => {
      api.calls = [];
      bus.emit({ schema_id: 'https://events.jupyter.org/x', path: 'x' });
      await pass(1);
      expect(api.calls).toEqual([]);
    });

    it('during a read trigger one more read, however many they are', async () => {
      api.held = 'list';
      void manager.refresh();
      const { revision } = api.change('id-etl', { status: 'Stopping' });
      for (let i = 0; i < 5; i++) {
        bus.emit({
          schema_id: 'urn:rucat:engines',
          changed: [{ id: 'id-etl', revision }],
          removed: []
        });
      }
      expect(api.calls.slice(1)).toEqual(['list']);
      await api.answer();
      expect(status()).toBe('Running');
      await api.answer();
      await pass(1);
      expect(status()).toBe('Stopping');
      expect(api.calls.slice(1)).toEqual(['list', 'list']);
    });

    it.each([
      [200, 400],
      [4_000, 1_000] // it started the gateway
    ])('just after a read of %d ms wait at most %d ms', async (took, waits) => {
      api.held = 'list';
      void manager.refresh();
      await pass(took);
      api.held = null;
      await api.answer();
      api.calls = [];
      const { revision } = api.change('id-etl', { status: 'Stopping' });
      await hint([{ id: 'id-etl', revision }]);
      await hint([{ id: 'id-etl', revision }]);
      await pass(waits - 10);
      expect(api.calls).toEqual([]);
      await pass(10);
      expect(api.calls).toEqual(['list']);
      expect(status()).toBe('Stopping');
    });

    it('remove a deleted engine', async () => {
      api.engines = api.engines.slice(1);
      await hint([], ['id-etl']);
      expect(manager.engines.map(({ name }) => name)).toEqual(['other']);
    });
  });

  describe('actions', () => {
    it('show their expected status immediately, without verbs; the response corrects it', async () => {
      api.held = 'stop';
      const done = manager.stop('id-etl');
      expect(status()).toBe('Stopping');
      expect(manager.find('id-etl')?.verbs).toEqual([]);
      expect(changes).toBe(2);
      await api.answer();
      expect((await done).revision).toBe(4);
      expect(manager.find('id-etl')?.revision).toBe(4);
    });

    it('are not reverted by a read that began before them', async () => {
      api.held = 'list';
      const stale = manager.refresh();
      await manager.stop('id-etl');
      expect(status()).toBe('Stopping');
      await api.answer();
      await stale;
      expect(status()).toBe('Stopping');
    });

    it('are corrected by any read that began after them', async () => {
      await manager.stop('id-etl');
      api.change('id-etl', { status: 'Stopped', verbs: ['restart', 'delete'] });
      await manager.refresh();
      expect(status()).toBe('Stopped');
    });

    it('refresh the list before they reject', async () => {
      api.stop = jest.fn(() => {
        api.change('id-etl', { status: 'Deleting' });
        return Promise.reject(new RucatError('it is Deleting', 'not_possible', 409));
      });
      await expect(manager.stop('id-etl')).rejects.toThrow('it is Deleting');
      expect(status()).toBe('Deleting');
    });

    it('keep a new engine during a read that began before it', async () => {
      api.held = 'list';
      const stale = manager.refresh();
      const made = engine({ name: 'new', created_at: '2026-03-01T11:59:59Z' });
      api.create = () => Promise.resolve(made);
      await manager.create({ name: 'new' });
      await api.answer();
      await stale;
      expect(manager.find('new')).toBeDefined();
      api.held = null;
      await manager.refresh();
      expect(manager.find('new')).toBeUndefined();
    });

    it('send the changes of a restart', async () => {
      await manager.restart('id-etl', { driver: { memory: '4g' } });
      expect(api.calls).toContain('restart id-etl {"driver":{"memory":"4g"}}');
      expect(status()).toBe('Pending');
    });
  });

  describe('outages', () => {
    const gone = new RucatError('the gateway did not answer', 'gateway_unavailable', 503);

    it('are reported with their start, and retried soon', async () => {
      api.trouble = gone;
      await manager.refresh();
      const { connection } = manager;
      expect(connection).toMatchObject({ kind: 'offline', message: 'the gateway did not answer' });
      if (connection.kind !== 'offline') {
        return;
      }
      expect(connection.retryAt!.getTime() - Date.now()).toBeLessThanOrEqual(1000);
      const { since } = connection;
      await pass(20_000);
      expect(manager.connection).toMatchObject({ kind: 'offline', since });
      expect(manager.engines.length).toBe(2);
    });

    it('end within 4 s after the server is back, and everything is read again', async () => {
      api.trouble = gone;
      await manager.refresh();
      await pass(30_000);
      api.trouble = null;
      api.change('id-etl', { status: 'Stopped' });
      await pass(4_001);
      expect(manager.connection.kind).toBe('ok');
      expect(status()).toBe('Stopped');
    });

    it('are followed by faster polls, because the bus may still be disconnected', async () => {
      api.trouble = gone;
      await manager.refresh();
      api.trouble = null;
      await pass(1_001);
      api.change('id-etl', { status: 'Stopped' });
      await pass(RECOVER_MS + 10);
      expect(status()).toBe('Stopped');
    });

    it('of other parts of the page trigger a poll immediately', async () => {
      api.calls = [];
      trouble.emit(new Error('kernels do not answer'));
      await pass(1);
      expect(api.calls).toEqual(['token']);
    });

    it('of a lost login in other parts of the page trigger a poll immediately', async () => {
      api.calls = [];
      loggedOut.emit();
      await pass(1);
      expect(api.calls).toEqual(['token']);
    });

    it.each([
      ['no extension', new RucatError('404', NO_EXTENSION, 404), { kind: 'missing' }],
      [
        'not allowed',
        new RucatError('no', 'forbidden', 403),
        { kind: 'forbidden', message: 'no', isLoggedOut: false }
      ],
      [
        'logged out',
        new RucatError('who?', LOGGED_OUT, 401),
        { kind: 'forbidden', message: 'who?', isLoggedOut: true }
      ],
      ['no server', new RucatError('down', NO_ANSWER, 0), { kind: 'offline', message: 'down' }],
      ['a proxy', new RucatError('bad', NO_ANSWER, 502), { kind: 'offline', message: 'bad' }]
    ])('are distinguished: %s', async (_, error, expected) => {
      api.trouble = error;
      await manager.refresh();
      expect(manager.connection).toMatchObject(expected);
    });
  });

  it('comes back after a login in another tab', async () => {
    const error = new RucatError('log in', LOGGED_OUT, 403);
    api.trouble = error;
    await manager.refresh();
    expect(manager.connection).toEqual({
      kind: 'forbidden',
      message: 'log in',
      isLoggedOut: true
    });
    api.trouble = null;
    await pass(LOGIN_MS + 10);
    expect(manager.connection).toEqual({ kind: 'ok' });
  });

  it('does not poll while the page is hidden, and polls immediately when it is shown', async () => {
    const hidden = jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    api.calls = [];
    await pass(120_000);
    expect(api.calls).toEqual([]);
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event('visibilitychange'));
    await pass(1);
    expect(api.calls).toEqual(['token']);
  });

  it('stops polling when it is disposed', async () => {
    api.calls = [];
    manager.dispose();
    expect(manager.isDisposed).toBe(true);
    bus.emit({
      schema_id: 'urn:rucat:engines',
      changed: [{ id: 'id-etl', revision: 99 }],
      removed: []
    });
    document.dispatchEvent(new Event('visibilitychange'));
    await pass(120_000);
    expect(api.calls).toEqual([]);
  });
});
