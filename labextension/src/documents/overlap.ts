/**
 * Where a log that is read again goes on: which of its last lines were read before.
 *
 * The stream has no place marks: it begins with the log's last lines. So as many of the last lines as may come again
 * are remembered by a number each, and the longest end of what is known that the new lines begin with is left out.
 */
import { Signal } from '@lumino/signaling';

/** So many lines are read again; more that have come meanwhile are told as missing. */
export const READ_AGAIN = 1000;

/** Remembers the last lines that were read, and finds them again. */
export class Overlap {
  get isEmpty(): boolean {
    return this._known.length === 0;
  }

  /** A line was read. */
  add(line: string): void {
    this._known.push(hash(line));
    if (this._known.length >= 2 * READ_AGAIN) {
      this._known.splice(0, this._known.length - READ_AGAIN);
    }
  }

  /** How many of these lines, the log's last ones, are known. */
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

/** Gathers the lines that come again, until they are there or no more come. */
export class Again {
  constructor(private readonly _waitMs: number) {}

  /** The lines; once. */
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
