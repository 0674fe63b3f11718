/**
 * Where a log that is read again goes on: which of its last lines were read before.
 *
 * The stream has no place marks: it begins with the log's last lines. So as many of the last lines as may come again
 * are remembered by a number each, and the longest end of what is known that the new lines begin with is left out.
 */

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

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let found = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    found = Math.imul(found ^ text.charCodeAt(index), 0x01000193);
  }
  return found;
}
