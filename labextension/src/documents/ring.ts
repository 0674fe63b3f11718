/**
 * The lines of a log that the page keeps: the last ones, within a number of bytes, whatever has come.
 *
 * Lines have numbers for life, from 0, so that whoever points to one finds out that it has gone.
 */

/** What all lines together may take; with what the page needs beside them less than 5 MB. */
export const MAX_BYTES = 3_500_000;
/** What a line takes beside its characters, which may take two bytes each. */
const LINE_BYTES = 56;
/** Dropped lines are let go of in blocks, so that dropping one costs nothing. */
const BLOCK = 1024;

/** One line; notes are ours, not the engine's. */
export interface ILine {
  text: string;
  isNote: boolean;
}

/** The last lines. */
export class Ring {
  constructor(private readonly _maxBytes = MAX_BYTES) {}

  /** Number of the first line that is there. */
  get first(): number {
    return this._first;
  }

  /** Number that the next line will have. */
  get end(): number {
    return this._base + this._lines.length;
  }

  get length(): number {
    return this.end - this._first;
  }

  get bytes(): number {
    return this._bytes;
  }

  /** The line of that number; it has to be there. */
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
