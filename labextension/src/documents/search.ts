/**
 * Where a text occurs in the lines that are there, while lines come and go.
 */
import type { Ring } from './ring';

/** More than that nobody steps through, and they are only counted up to it. */
export const MOST = 10_000;

/** One place: `line` is a line's number. */
export interface IMatch {
  line: number;
  at: number;
}

/** The places of one text, upper and lower case alike, in the order of the log. */
export class Search {
  constructor(private readonly _ring: Ring) {}

  get query(): string {
    return this._query;
  }

  get matches(): ReadonlyArray<IMatch> {
    return this._matches;
  }

  /** Whether there are more places than are told. */
  get isCut(): boolean {
    return this._isCut;
  }

  /** Index of the place that was stepped to; -1 before. */
  get current(): number {
    return this._current;
  }

  /** Look for another text; empty: for none. */
  ask(query: string): void {
    this._query = query.toLowerCase();
    this._matches = [];
    this._isCut = false;
    this._current = -1;
    this._seen = this._ring.first;
    this.update();
  }

  /** Lines have come or gone. */
  update(): void {
    const gone = this._matches.findIndex(({ line }) => line >= this._ring.first);
    const dropped = gone < 0 ? this._matches.length : gone;
    this._matches.splice(0, dropped);
    this._current = this._current < 0 ? -1 : Math.max(0, this._current - dropped);
    if (!this._matches.length) {
      this._current = -1;
    }
    for (let line = Math.max(this._seen, this._ring.first); line < this._ring.end; line++) {
      this._look(line);
    }
    this._seen = this._ring.end;
  }

  /** Step on (1) or back (-1), round the ends; the first step goes to the place at or after `from`. */
  step(by: 1 | -1, from: number): IMatch | null {
    const length = this._matches.length;
    if (!length) {
      return null;
    }
    if (this._current < 0) {
      const next = this._matches.findIndex(({ line }) => line >= from);
      this._current = next < 0 ? (by > 0 ? 0 : length - 1) : next;
    } else {
      this._current = (this._current + by + length) % length;
    }
    return this._matches[this._current];
  }

  /** Where the text is in a line: for marks. */
  places(text: string): number[] {
    const found: number[] = [];
    const lower = text.toLowerCase();
    const step = this._query.length;
    // lower case may have another length (İ): then the places would be wrong ones
    if (!step || lower.length !== text.length) {
      return found;
    }
    for (let at = lower.indexOf(this._query); at >= 0; at = lower.indexOf(this._query, at + step)) {
      found.push(at);
    }
    return found;
  }

  private _look(line: number): void {
    if (!this._query || this._isCut) {
      return;
    }
    for (const at of this.places(this._ring.at(line).text)) {
      if (this._matches.length >= MOST) {
        this._isCut = true;
        return;
      }
      this._matches.push({ line, at });
    }
  }

  private _query = '';
  private _matches: IMatch[] = [];
  private _isCut = false;
  private _current = -1;
  private _seen = 0;
}
