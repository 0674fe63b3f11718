/**
 * Finds where to continue in a log that is read again: which of its lines are known already.
 *
 * The stream has no positions: it begins with the last lines of the log. So a hash of each recent line is kept. The
 * longest suffix of the known lines that the new lines begin with is skipped.
 */
import { Signal } from '@lumino/signaling';

/** Number of lines to read again; if more lines arrived in the meantime, a note says that some are missing. */
export const READ_AGAIN = 1000;

/** Keeps hashes of the last lines, and finds them in a new stream. */
export class Overlap {
  get isEmpty(): boolean {
    return this._known.length === 0;
  }

  /** Add a line that was read. */
  add(line: string): void {
    this._known.push(hash(line));
    if (this._known.length >= 2 * READ_AGAIN) {
      this._known.splice(0, this._known.length - READ_AGAIN);
    }
  }

  /** How many of these lines (the last ones of the log) are known already. */
  count(lines: ReadonlyArray<string>): number {
    const again = lines.map(hash);
    for (let size = Math.min(again.length, this._known.length); size > 0; size--) {
      const from = this._known.length - size;
      if (again.slice(0, size).every((each, index) => each === this._known[from + index])) {
        return size;
      }
    }
    return 0;
  }

  forget(): void {
    this._known = [];
  }

  private _known: number[] = [];
}

/** Collects repeated lines until all are there or no more arrive. */
export class Again {
  constructor(private readonly _waitMs: number) {}

  /** Emitted once, with the lines. */
  readonly done = new Signal<this, string[]>(this);

  get isDone(): boolean {
    return this._isDone;
  }

  add(lines: string[]): void {
    this._lines.push(...lines);
    if (this._lines.length >= READ_AGAIN) {
      this.finish();
    } else {
      this._timer ??= window.setTimeout(() => this.finish(), this._waitMs);
    }
  }

  finish(): void {
    clearTimeout(this._timer);
    if (!this._isDone) {
      this._isDone = true;
      this.done.emit(this._lines);
      this._lines = [];
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
    this._isDone = true;
    Signal.clearData(this);
  }

  private _lines: string[] = [];
  private _isDone = false;
  private _timer: number | undefined;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let found = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    found = Math.imul(found ^ text.charCodeAt(index), 0x01000193);
  }
  return found;
}
