/**
 * The engines of this user: read by one poll, hurried by Jupyter's event bus, changed by actions that show at once.
 *
 * Truth is REST alone. The bus has no replay and does not tell when it was away, so the poll looks all the same; a look
 * asks for the list's token, and only another token for the list.
 */
import type { Event } from '@jupyterlab/services';
import { PromiseDelegate } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import type { ISignal, IStream } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api } from '../api';
import type { Connection, ICreate, IEngine, IEngineManager, Json, Status } from '../tokens';
import {
  judge,
  LOOK_MS,
  QUIET_MS,
  RECOVERY_MS,
  RECOVER_MS,
  REFUSED_MS,
  retryMs
} from './connection';
import { Known } from './known';

/** Id of our events (rucat_jupyter/jupyter/follow.py). */
const SCHEMA_ID = 'urn:rucat:engines';
/** After a read so much of its time passes before a hint leads to the next: many changes must not fill the server. */
const BREATH = 2;
/** And no more than this: what has taken long once (it started the gateway) need not be slow again. */
const BREATH_MS = 1_000;

/** The one place that reads engines. */
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

  /** Begin to read. */
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

  /** Read all, now; never rejects: `connection` says how it went. */
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

  /** Ask; after a refusal read all before it is told, so that it is told beside the truth. */
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

  /** What the poll does: see whether anything has changed, and then read it. */
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
      return false; // the read that follows says why
    }
  }

  /** Read; one read is under way at most: who asks meanwhile gets the next one, which begins after it was asked for. */
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

  /** How long until the next look. */
  private _pause(): number {
    if (this._connection.kind === 'offline') {
      return retryMs(this._tries);
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

  // --- hints ----------------------------------------------------------------------------------------------

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id !== SCHEMA_ID) {
      return;
    }
    const { changed, removed } = event as unknown as IHint;
    if (this._connection.kind !== 'ok' || this._known.isNews(changed, removed)) {
      this._hint();
    }
  }

  /** Read soon: at once, or when the last read is long enough ago. */
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
  /** What stands for the list that is known; null: unknown. */
  private _token: string | null = null;
  private _tries = 0;
  private _recoveredAt = -Infinity;
  private _readAt = -Infinity;
  private _costMs = 0;
  private _breath: number | undefined;
}

/** What an event of ours says. */
interface IHint {
  changed: { id: string; revision: number }[];
  removed: string[];
}

/** Whether only a verb can change the engine. */
function isQuiet({ status }: IEngine): boolean {
  return status === 'Stopped' || status === 'Failed';
}

/** What a manager is made of. */
export namespace EngineManager {
  export interface IOptions {
    api: Api;
    /** Jupyter's event bus. */
    events?: IStream<Event.IManager, Event.Emission>;
    /** Says that the server does not answer somebody else. */
    trouble?: ISignal<any, unknown>;
    /** When the poll pauses; default: while the page is hidden. */
    standby?: Poll.Standby | (() => boolean | Poll.Standby);
  }
}
