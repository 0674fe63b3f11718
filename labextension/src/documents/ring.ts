/**
 * Ring buffer of log lines: keeps the last lines within a limit of bytes.
 *
 * Line numbers start at 0 and never change, so that code can detect that a line was dropped.
 */

/** Limit for all lines together; with everything else a log stays below 5 MB. */
export const MAX_BYTES = 3_500_000;
/** Overhead of a line; its characters take up to two bytes each. */
const LINE_BYTES = 56;
/** Dropped lines are removed in blocks, so that one drop is cheap. */
const BLOCK = 1024;

/** One line; notes come from this page, not from the engine. */
export interface ILine {
  text: string;
  isNote: boolean;
}

/** The ring buffer. */
export class Ring {
  constructor(private readonly _maxBytes = MAX_BYTES) {}

  /** Number of the first line in the buffer. */
  get first(): number {
    return this._first;
  }

  /** Number of the next line. */
  get end(): number {
    return this._base + this._lines.length;
  }

  get length(): number {
    return this.end - this._first;
  }

  get bytes(): number {
    return this._bytes;
  }

  /** The line with this number; it must be in the buffer. */
  at(number: number): ILine {
    return this._lines[number - this._base];
  }

  push(text: string, isNote = false): void {
    const line = { text, isNote };
    this._lines.push(line);
    this._bytes += cost(line);
    while (this._bytes > this._maxBytes && this.length > 1) {
      this._drop();
    }
  }

  clear(): void {
    this._base = this._first = this.end;
    this._lines = [];
    this._bytes = 0;
  }

  private _drop(): void {
    const index = this._first - this._base;
    this._bytes -= cost(this._lines[index]);
    this._lines[index] = GONE;
    this._first += 1;
    if (this._first - this._base >= BLOCK) {
      this._lines.splice(0, BLOCK);
      this._base += BLOCK;
    }
  }

  private _lines: ILine[] = [];
  private _base = 0;
  private _first = 0;
  private _bytes = 0;
}

const GONE: ILine = { text: '', isNote: false };

function cost({ text }: ILine): number {
  return 2 * text.length + LINE_BYTES;
}
