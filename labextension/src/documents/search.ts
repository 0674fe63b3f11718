/**
 * Finds a text in the buffered lines while lines are added and dropped.
 */
import type { Ring } from './ring';

/** Most matches that are counted: users do not step through more. */
export const MOST = 10_000;

/** One match: number of the line, and offset in it. */
export interface IMatch {
  line: number;
  at: number;
}

/** Matches of one text, case-insensitive, in the order of the log. */
export class Search {
  constructor(private readonly _ring: Ring) {}

  get query(): string {
    return this._query;
  }

  get matches(): ReadonlyArray<IMatch> {
    return this._matches;
  }

  /** Whether there are more than MOST matches. */
  get isCut(): boolean {
    return this._isCut;
  }

  /** Index of the current match; -1 before the first step. */
  get current(): number {
    return this._current;
  }

  /** Search for another text; empty: end the search. */
  ask(query: string): void {
    this._query = query.toLowerCase();
    this._matches = [];
    this._isCut = false;
    this._current = -1;
    this._seen = this._ring.first;
    this.update();
  }

  /** Update the matches after lines were added or dropped. */
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

  /** Go to the next (1) or previous (-1) match and wrap around; the first step goes to the match at or after line `from`. */
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

  /** Offsets of the text in a line, for highlights. */
  places(text: string): number[] {
    const found: number[] = [];
    const lower = text.toLowerCase();
    const step = this._query.length;
    // lower case can change the length (İ): the offsets would be wrong
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
