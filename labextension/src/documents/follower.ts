/**
 * Follows the log of one engine across runs: reads it while the engine runs, resumes after an outage, and reports its
 * state.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { Api } from '../api';
import { RucatError, isLoggedOut } from '../api';
import type { IEngine, IEngineManager } from '../tokens';
import { clock, LIVE, plain } from '../words';
import { LineReader } from './lines';
import { Again, Overlap, READ_AGAIN } from './overlap';
import type { Ring } from './ring';

/** Number of lines of the first read. */
export const FIRST_LINES = 5000;
/** Pauses between retries; the last one repeats. */
export const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
/** Longest wait for the lines that a new stream repeats. */
const AGAIN_MS = 400;

/** State of a follower. */
export type Standing =
  | { kind: 'connecting' }
  | { kind: 'following' }
  /** The tab is hidden, or other logs use the connections. */
  | { kind: 'paused' }
  /** The run has ended; waiting for the next one. */
  | { kind: 'ended'; status: string }
  /** The server or the gateway does not respond, or rejects the request; retried automatically. */
  | { kind: 'away'; since: Date; message: string; isLoggedOut: boolean; retryAt: Date }
  | { kind: 'deleted' };

/** Longest time to process lines without a pause for the browser. */
const BUSY_MS = 12;

/** Dependencies of a follower. */
export interface IFollowerOptions {
  id: string;
  api: Pick<Api, 'follow'>;
  manager: Pick<IEngineManager, 'find' | 'changed' | 'connection' | 'ready'>;
  ring: Ring;
  trans: TranslationBundle;
  firstLines?: number;
  againMs?: number;
}

/** Reads one log into a ring buffer. */
export class Follower {
  constructor(private readonly _options: IFollowerOptions) {
    this._options.manager.changed.connect(this._onEngines, this);
  }

  /** Emitted when lines were added. */
  readonly grown = new Signal<this, void>(this);
  readonly standingChanged = new Signal<this, Standing>(this);

  get standing(): Standing {
    return this._standing;
  }

  /** Start to follow; does nothing if it follows already. */
  start(): void {
    if (!this._isWanted && this._standing.kind !== 'deleted') {
      this._isWanted = true;
      this._tries = 0;
      void this._read();
    }
  }

  /** Close the stream; `start` resumes at the same line. */
  pause(): void {
    this._isWanted = false;
    this._close();
    if (this._standing.kind !== 'deleted') {
      this._stand({ kind: 'paused' });
    }
  }

  /** Retry now instead of after the pause. */
  retry(): void {
    if (this._isWanted && this._standing.kind === 'away') {
      this._close();
      void this._read();
    }
  }

  dispose(): void {
    this._isWanted = false;
    this._close();
    Signal.clearData(this);
  }

  // --- reading --------------------------------------------------------------------------------------------

  private async _read(): Promise<void> {
    const abort = new AbortController();
    this._abort = abort;
    if (this._standing.kind !== 'away') {
      this._stand({ kind: 'connecting' });
    }
    const began = this._engine?.run;
    try {
      await this._options.manager.ready;
      await this._take(abort.signal);
      if (!abort.signal.aborted) {
        this._onEnd(began);
      }
    } catch (error) {
      if (!abort.signal.aborted) {
        this._onError(error);
      }
    }
  }

  private async _take(signal: AbortSignal): Promise<void> {
    const { id, api, trans, firstLines = FIRST_LINES } = this._options;
    this._beginRun();
    const again = this._overlap.isEmpty ? null : new Again(this._options.againMs ?? AGAIN_MS);
    const reader = new LineReader(trans);
    const tail = again ? READ_AGAIN : firstLines;
    again?.done.connect((_, lines) => this._goOn(lines, signal));
    for await (const piece of api.follow(id, tail, signal)) {
      if (signal.aborted) {
        break;
      }
      this._stand({ kind: 'following' });
      this._tries = 0;
      this._give(reader.read(piece), again);
      await this._breathe();
    }
    if (!signal.aborted) {
      this._give(reader.rest(), again);
      again?.finish();
    }
    again?.dispose();
  }

  /** Let the browser draw and handle clicks while many lines arrive. */
  private async _breathe(): Promise<void> {
    if (performance.now() - this._breathed > BUSY_MS) {
      await new Promise(resolve => window.setTimeout(resolve));
      this._breathed = performance.now();
    }
  }

  private _give(lines: string[], again: Again | null): void {
    if (again && !again.isDone) {
      again.add(lines);
    } else if (lines.length) {
      this._add(lines);
    }
  }

  /** Skip the lines that the new stream repeats. */
  private _goOn(lines: string[], signal: AbortSignal): void {
    if (signal.aborted) {
      return;
    }
    const known = this._overlap.count(lines);
    if (!known && lines.length >= READ_AGAIN) {
      this._note(
        this._options.trans.__(
          'Some lines are missing here: too many arrived during the interruption.'
        )
      );
    }
    this._add(lines.slice(known));
  }

  private _add(lines: string[]): void {
    for (const line of lines) {
      this._options.ring.push(line);
      this._overlap.add(line);
    }
    this.grown.emit();
  }

  /** If a new run begins, add a note, and read its log from the start. */
  private _beginRun(): void {
    const run = this._engine?.run ?? this._run;
    if (this._run !== null && run !== null && run !== this._run) {
      this._overlap.forget();
      this._note(
        this._options.trans.__('Run %1, seen at %2', String(run), clock(new Date(), Date.now()))
      );
    }
    this._run = run;
  }

  private _note(text: string): void {
    this._options.ring.push(text, true);
    this.grown.emit();
  }

  // --- state ----------------------------------------------------------------------------------------------

  /** The server closed the stream. */
  private _onEnd(began: number | undefined): void {
    const engine = this._engine;
    if (engine && engine.run === began && !isRead(engine)) {
      this._stand({ kind: 'ended', status: engine.status });
    } else if (!engine && this._options.manager.connection.kind === 'ok') {
      this._stand({ kind: 'deleted' });
    } else {
      // the run has not begun, its end is not known yet, or the gateway closed the stream
      this._again();
    }
  }

  private _onError(error: unknown): void {
    if (error instanceof RucatError && error.code === 'not_found') {
      this._stand({ kind: 'deleted' });
      return;
    }
    const message = plain(error instanceof Error ? error.message : error, 300);
    const since = this._standing.kind === 'away' ? this._standing.since : new Date();
    const retryAt = new Date(Date.now() + this._again());
    this._stand({ kind: 'away', since, message, isLoggedOut: isLoggedOut(error), retryAt });
  }

  /** Read again after a pause; returns the pause in milliseconds. */
  private _again(): number {
    const pause = RETRY_MS[Math.min(this._tries, RETRY_MS.length - 1)];
    this._tries += 1;
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this._read(), pause);
    return pause;
  }

  private _onEngines(): void {
    const { connection } = this._options.manager;
    if (!this._isWanted || connection.kind !== 'ok') {
      return;
    }
    const engine = this._engine;
    const { kind } = this._standing;
    if (!engine) {
      this._leave();
    } else if (kind === 'ended' && (engine.run !== this._run || isRead(engine))) {
      void this._read();
    } else if (kind === 'ended') {
      this._stand({ kind, status: engine.status });
    } else if (kind === 'away') {
      this.retry();
    } else if (kind === 'following' && engine.run !== this._run && LIVE.includes(engine.status)) {
      // the log of the previous run is complete: the platform ends a run before it starts the next
      this._close();
      void this._read();
    }
  }

  private _leave(): void {
    this._close();
    this._stand({ kind: 'deleted' });
  }

  private get _engine(): IEngine | undefined {
    return this._options.manager.find(this._options.id);
  }

  private _close(): void {
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
  }

  private _stand(standing: Standing): void {
    const isNews =
      standing.kind !== this._standing.kind ||
      standing.kind === 'away' ||
      standing.kind === 'ended';
    this._standing = standing;
    if (isNews) {
      this.standingChanged.emit(standing);
    }
  }

  private readonly _overlap = new Overlap();
  private _standing: Standing = { kind: 'paused' };
  private _isWanted = false;
  private _abort: AbortController | null = null;
  private _timer: number | undefined;
  private _tries = 0;
  private _breathed = 0;
  /** Number of the run that is read. */
  private _run: number | null = null;
}

/** Whether the engine may have a growing log. */
function isRead({ status }: IEngine): boolean {
  return status === 'Pending' || LIVE.includes(status);
}
