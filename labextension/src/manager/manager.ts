/**
 * The engines of this user: one poll reads them, events of Jupyter's event bus trigger earlier reads, and actions show
 * their expected status immediately.
 *
 * REST is the only source of truth. The bus has no replay and does not report gaps, so the poll runs anyway. It requests
 * the token of the list, and the list itself only if the token has changed.
 */
import type { Event } from '@jupyterlab/services';
import { PromiseDelegate } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import type { ISignal, IStream } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api } from '../api';
import { loggedOut } from '../api';
import type { Connection, ICreate, IEngine, IEngineManager, Json, Status } from '../tokens';
import {
  judge,
  LOGIN_MS,
  LOOK_MS,
  QUIET_MS,
  RECOVERY_MS,
  RECOVER_MS,
  REFUSED_MS,
  retryMs
} from './connection';
import { Known } from './known';

/** Schema id of Rucat's events (rucat_jupyter/jupyter/follow.py). */
const SCHEMA_ID = 'urn:rucat:engines';
/** Pause after a read, as a multiple of its duration: many events must not overload the server. */
const BREATH = 2;
/** Upper limit of that pause: after one slow read (it started the gateway) the next one may be fast. */
const BREATH_MS = 1_000;

/** The only place that reads engines. */
export class EngineManager implements IEngineManager {
  constructor(private readonly _options: EngineManager.IOptions) {
    this._poll = new Poll({
      auto: false,
      factory: () => this._look(),
      frequency: { interval: LOOK_MS, backoff: false },
      name: 'rucat:engines',
      standby: _options.standby ?? 'when-hidden'
    });
    _options.events?.connect(this._onEvent, this);
    _options.trouble?.connect(this._onTrouble, this);
    loggedOut.connect(this._onTrouble, this);
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  get engines(): ReadonlyArray<IEngine> {
    return this._known.engines;
  }

  get connection(): Connection {
    return this._connection;
  }

  get changed(): Signal<this, void> {
    return this._changed;
  }

  get ready(): Promise<void> {
    return this._ready.promise;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Start the poll. */
  start(): void {
    void this._poll.refresh();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    document.removeEventListener('visibilitychange', this._onVisibility);
    clearTimeout(this._breath);
    this._poll.dispose();
    Signal.clearData(this);
  }

  find(ref: string): IEngine | undefined {
    return this.engines.find(({ id }) => id === ref) ?? this.engines.find(e => e.name === ref);
  }

  /** Read all engines now; never rejects: `connection` has the result. */
  refresh(): Promise<void> {
    return this._read();
  }

  async create(request: ICreate): Promise<IEngine> {
    return this._take(await this._ask(() => this._options.api.create(request)));
  }

  stop(id: string): Promise<IEngine> {
    return this._act(id, 'Stopping', () => this._options.api.stop(id));
  }

  restart(id: string, changes?: Json): Promise<IEngine> {
    return this._act(id, 'Pending', () => this._options.api.restart(id, changes));
  }

  delete(id: string, options: { force?: boolean } = {}): Promise<IEngine> {
    return this._act(id, 'Deleting', () => this._options.api.delete(id, options.force));
  }

  // --- actions --------------------------------------------------------------------------------------------

  private async _act(id: string, expected: Status, ask: () => Promise<IEngine>): Promise<IEngine> {
    this._emitIf(this._known.expect(id, expected));
    try {
      return this._take(await this._ask(ask));
    } catch (error) {
      this._emitIf(this._known.settle(id));
      throw error;
    }
  }

  /** Send an action; if it fails, read all engines first, so that the error appears next to the current state. */
  private async _ask(ask: () => Promise<IEngine>): Promise<IEngine> {
    try {
      return await ask();
    } catch (error) {
      await this._read();
      throw error;
    }
  }

  private _take(engine: IEngine): IEngine {
    this._token = null;
    this._emitIf(this._known.answer(engine));
    return engine;
  }

  // --- reading --------------------------------------------------------------------------------------------

  /** One poll: read the list only if its token has changed. */
  private async _look(): Promise<void> {
    if (this._reading || !(await this._isCurrent())) {
      await this._read();
    }
  }

  private async _isCurrent(): Promise<boolean> {
    if (this._token === null || this._connection.kind !== 'ok') {
      return false;
    }
    try {
      const isCurrent = (await this._options.api.token()) === this._token;
      if (isCurrent) {
        this._plan();
      }
      return isCurrent;
    } catch {
      return false; // the read that follows reports the error
    }
  }

  /** Read; only one read runs at a time: a call during a read waits for the next read, which begins after the call. */
  private _read(): Promise<void> {
    if (!this._reading) {
      this._reading = this._readOnce().finally(() => {
        this._reading = null;
      });
      return this._reading;
    }
    this._nextReading ??= this._reading.then(() => {
      this._nextReading = null;
      return this._read();
    });
    return this._nextReading;
  }

  private async _readOnce(): Promise<void> {
    clearTimeout(this._breath);
    this._breath = undefined;
    const number = this._known.beginRead();
    const begun = performance.now();
    try {
      const { engines, token } = await this._options.api.list();
      this._token = token;
      this._succeed(this._known.take(number, engines));
    } catch (error) {
      this._fail(error);
    }
    this._readAt = performance.now();
    this._costMs = this._readAt - begun;
    this._plan();
  }

  private _succeed(isChanged: boolean): void {
    const was = this._connection.kind;
    if (was === 'offline') {
      this._recoveredAt = Date.now();
    }
    this._tries = 0;
    this._connection = { kind: 'ok' };
    this._emitIf(isChanged || was !== 'ok');
    this._ready.resolve();
  }

  private _fail(error: unknown): void {
    const was = this._connection;
    this._tries += 1;
    this._connection = judge(error, was.kind === 'offline' ? was.since : new Date());
    if (this._connection.kind === 'offline') {
      this._connection.retryAt = new Date(Date.now() + this._pause());
    }
    this._emitIf(true);
  }

  /** Milliseconds until the next poll. */
  private _pause(): number {
    if (this._connection.kind === 'offline') {
      return retryMs(this._tries);
    }
    if (this._connection.kind === 'forbidden' && this._connection.isLoggedOut) {
      return LOGIN_MS;
    }
    if (this._connection.kind !== 'ok') {
      return REFUSED_MS;
    }
    if (Date.now() - this._recoveredAt < RECOVERY_MS) {
      return RECOVER_MS;
    }
    return this.engines.every(isQuiet) ? QUIET_MS : LOOK_MS;
  }

  private _plan(): void {
    void this._poll.schedule({ interval: this._pause(), phase: 'resolved' });
  }

  private _emitIf(isChanged: boolean): void {
    if (isChanged && !this.isDisposed) {
      this._changed.emit();
    }
  }

  // --- events ---------------------------------------------------------------------------------------------

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id !== SCHEMA_ID) {
      return;
    }
    const { changed, removed } = event as unknown as IHint;
    if (this._connection.kind !== 'ok' || this._known.isNews(changed, removed)) {
      this._hint();
    }
  }

  /** Read soon: immediately, or after a pause since the last read. */
  private _hint(): void {
    if (this._reading) {
      void this._read();
      return;
    }
    const breath = Math.min(BREATH * this._costMs, BREATH_MS);
    const wait = this._readAt + breath - performance.now();
    this._breath ??= window.setTimeout(() => void this._read(), Math.max(0, wait));
  }

  private _onTrouble(): void {
    if (this._connection.kind === 'ok') {
      void this._poll.refresh();
    }
  }

  private _onVisibility = (): void => {
    if (!document.hidden) {
      void this._poll.refresh();
    }
  };

  private readonly _poll: Poll<void>;
  private readonly _known = new Known();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _ready = new PromiseDelegate<void>();
  private _connection: Connection = { kind: 'loading' };
  private _reading: Promise<void> | null = null;
  private _nextReading: Promise<void> | null = null;
  /** Token of the cached list; null: unknown. */
  private _token: string | null = null;
  private _tries = 0;
  private _recoveredAt = -Infinity;
  private _readAt = -Infinity;
  private _costMs = 0;
  private _breath: number | undefined;
}

/** Payload of an event. */
interface IHint {
  changed: { id: string; revision: number }[];
  removed: string[];
}

/** Whether only a verb can change the engine. */
function isQuiet({ status }: IEngine): boolean {
  return status === 'Stopped' || status === 'Failed';
}

/** Types of EngineManager. */
export namespace EngineManager {
  export interface IOptions {
    api: Api;
    /** Jupyter's event bus. */
    events?: IStream<Event.IManager, Event.Emission>;
    /** Emits when the server does not respond to another part of the page. */
    trouble?: ISignal<any, unknown>;
    /** When the poll pauses; default: while the page is hidden. */
    standby?: Poll.Standby | (() => boolean | Poll.Standby);
  }
}
