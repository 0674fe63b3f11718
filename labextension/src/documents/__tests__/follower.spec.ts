import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { engine } from '../../__tests__/fixtures';
import { LOGGED_OUT, NO_ANSWER, RucatError } from '../../api';
import type { Connection, IEngine } from '../../tokens';
import { Follower, RETRY_MS } from '../follower';
import { READ_AGAIN } from '../overlap';
import { Ring } from '../ring';

/** A log stream that a test feeds, ends or breaks. */
class Stream {
  constructor(
    readonly tail: number,
    readonly signal: AbortSignal
  ) {
    signal.addEventListener('abort', () => void this.end());
  }

  send(...lines: string[]): Promise<void> {
    return this._give(lines.map(line => `${line}\n`).join(''));
  }

  end(): Promise<void> {
    return this._give(null);
  }

  fail(error: Error): Promise<void> {
    return this._give(error);
  }

  async *pieces(): AsyncGenerator<string> {
    for (;;) {
      while (this._given.length) {
        const next = this._given.shift()!;
        if (next === null) {
          return;
        }
        if (next instanceof Error) {
          throw next;
        }
        yield next;
      }
      await new Promise<void>(resolve => (this._wake = resolve));
    }
  }

  private async _give(what: string | Error | null): Promise<void> {
    this._given.push(what);
    this._wake();
    await settle();
  }

  private readonly _given: (string | Error | null)[] = [];
  private _wake: () => void = () => undefined;
}

class Engines {
  engines: IEngine[] = [engine({ id: 'e' })];
  connection: Connection = { kind: 'ok' };
  ready = Promise.resolve();
  readonly changed = new Signal<any, void>(this);
  find = (id: string) => this.engines.find(each => each.id === id);

  become(given: Partial<IEngine> | null): Promise<void> {
    this.engines = given ? [{ ...this.engines[0], ...given }] : [];
    this.changed.emit();
    return settle();
  }
}

async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await Promise.resolve();
  }
}

const away = () => new RucatError('the gateway does not answer', NO_ANSWER, 0);

describe('Follower', () => {
  let streams: Stream[];
  let engines: Engines;
  let ring: Ring;
  let follower: Follower;

  beforeEach(() => {
    jest.useFakeTimers();
    streams = [];
    engines = new Engines();
    ring = new Ring();
    follower = new Follower({
      id: 'e',
      ring,
      manager: engines,
      trans: nullTranslator.load(''),
      api: {
        follow: (_, tail, signal) => {
          streams.push(new Stream(tail, signal));
          return streams[streams.length - 1].pieces();
        }
      }
    });
  });

  afterEach(() => {
    follower.dispose();
    jest.useRealTimers();
  });

  const lines = () =>
    Array.from({ length: ring.length }, (_, n) => ring.at(ring.first + n)).map(
      ({ text, isNote }) => (isNote ? `[${text.split(',')[0]}]` : text)
    );
  const last = () => streams[streams.length - 1];
  const start = async () => {
    follower.start();
    await settle();
  };

  it('reads existing and new lines', async () => {
    await start();
    expect(follower.standing.kind).toBe('connecting');
    await last().send('one', 'two');
    await last().send('three');
    expect(lines()).toEqual(['one', 'two', 'three']);
    expect(follower.standing.kind).toBe('following');
  });

  it('reports the end of a run, and follows the next one below a note', async () => {
    await start();
    await last().send('life one');
    await engines.become({ status: 'Stopped' });
    await last().end();
    expect(follower.standing).toEqual({ kind: 'ended', status: 'Stopped' });
    await engines.become({ status: 'Pending', run: 2 });
    expect(streams).toHaveLength(2);
    await last().send('life two');
    expect(lines()).toEqual(['life one', '[Run 2]', 'life two']);
  });

  it('stops reading the log of an engine that ends, and reports its status', async () => {
    await start();
    await engines.become({ status: 'Deleting' });
    await last().end();
    jest.advanceTimersByTime(60_000);
    await settle();
    expect(streams).toHaveLength(1);
    expect(follower.standing).toEqual({ kind: 'ended', status: 'Deleting' });
    await engines.become(null);
    expect(follower.standing.kind).toBe('deleted');
  });

  it('closes the stream of a run when the next one is live', async () => {
    await start();
    await last().send('life one');
    await engines.become({ status: 'Pending', run: 2 });
    expect(streams).toHaveLength(1);
    await engines.become({ status: 'Running', run: 2 });
    expect(streams[0].signal.aborted).toBe(true);
    await last().send('life two');
    expect(lines()).toEqual(['life one', '[Run 2]', 'life two']);
  });

  it('retries while a new run has no log yet', async () => {
    engines.engines = [engine({ id: 'e', status: 'Pending' })];
    await start();
    await last().end();
    jest.advanceTimersByTime(RETRY_MS[0]);
    await settle();
    expect(streams).toHaveLength(2);
  });

  it('reports the start of an outage, retries with growing pauses, and resumes at the same line', async () => {
    await start();
    await last().send('one', 'two', 'two');
    for (const pause of RETRY_MS) {
      await last().fail(away());
      expect(follower.standing).toMatchObject({ kind: 'away' });
      const { retryAt } = follower.standing as { retryAt: Date };
      expect(retryAt.getTime() - Date.now()).toBe(pause);
      jest.advanceTimersByTime(pause);
      await settle();
    }
    expect(last().tail).toBe(READ_AGAIN);
    await last().send('one', 'two', 'two', 'three');
    expect(follower.standing.kind).toBe('following');
    jest.advanceTimersByTime(1000);
    await last().send('four');
    expect(lines()).toEqual(['one', 'two', 'two', 'three', 'four']);
  });

  it('distinguishes a lost login from a missing response', async () => {
    await start();
    await last().fail(new RucatError('who?', LOGGED_OUT, 403));
    expect(follower.standing).toMatchObject({ kind: 'away', isLoggedOut: true });
    follower.retry();
    await settle();
    await last().fail(away());
    expect(follower.standing).toMatchObject({ kind: 'away', isLoggedOut: false });
  });

  it('retries immediately when the list is read again', async () => {
    await start();
    await last().fail(away());
    await engines.become({});
    expect(streams).toHaveLength(2);
  });

  it('adds a note if lines are missing after an interruption', async () => {
    await start();
    await last().send('old');
    await last().fail(away());
    follower.retry();
    await settle();
    await last().send(...Array.from({ length: READ_AGAIN }, (_, n) => `new ${n}`));
    expect(lines().slice(0, 3)).toEqual([
      'old',
      '[Some lines are missing here: too many arrived during the interruption.]',
      'new 0'
    ]);
  });

  it('reports a delete, and does not reconnect', async () => {
    await start();
    await last().send('one');
    await engines.become(null);
    expect(follower.standing.kind).toBe('deleted');
    expect(last().signal.aborted).toBe(true);
    await start();
    expect(streams).toHaveLength(1);
  });

  it('treats a 404 of Rucat as a delete, but not one of a proxy', async () => {
    await start();
    await last().fail(new RucatError('no engine', 'not_found', 404));
    expect(follower.standing.kind).toBe('deleted');
  });

  it('closes its stream when it pauses, and resumes without duplicate lines', async () => {
    await start();
    await last().send('one', 'two');
    follower.pause();
    expect(last().signal.aborted).toBe(true);
    expect(follower.standing.kind).toBe('paused');
    await start();
    await last().send('one', 'two', 'three');
    jest.advanceTimersByTime(1000);
    expect(lines()).toEqual(['one', 'two', 'three']);
  });
});
