/**
 * Splits a streamed log into lines that are safe to show: plain text of limited length.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { plain } from '../words';

/** Most characters of a line that are shown (same as LONGEST_LINE in rucat_jupyter/client/words/text.py). */
export const LONGEST_LINE = 10_000;

/** Splits a stream of text into lines; keeps only the start of a long line, and its length. */
export class LineReader {
  constructor(private readonly _trans: TranslationBundle) {}

  /** Lines that this chunk completes. */
  read(piece: string): string[] {
    const found: string[] = [];
    let from = 0;
    for (let at = piece.indexOf('\n'); at >= 0; at = piece.indexOf('\n', from)) {
      this._add(piece, from, at);
      found.push(this._take());
      from = at + 1;
    }
    this._add(piece, from, piece.length);
    return found;
  }

  /** The last line, if it has no line end. */
  rest(): string[] {
    return this._length ? [this._take()] : [];
  }

  private _add(piece: string, from: number, to: number): void {
    const room = LONGEST_LINE - this._begin.length;
    if (room > 0) {
      this._begin += piece.slice(from, Math.min(to, from + room));
    }
    this._length += to - from;
  }

  private _take(): string {
    const [begin, length] = [this._begin, this._length];
    this._begin = '';
    this._length = 0;
    const shown = plain(begin.replace(/\r$/, '').replace(/\t/g, '    '));
    return own(length <= LONGEST_LINE ? shown : this._cut(shown, length));
  }

  private _cut(shown: string, length: number): string {
    return `${shown}… ${this._trans.__('(%1 characters)', length.toLocaleString('en'))}`;
  }

  private _begin = '';
  private _length = 0;
}

/**
 * Copy the text: a substring keeps the whole source string in memory, here the chunk of the stream.
 */
function own(text: string): string {
  return DECODER.decode(ENCODER.encode(text));
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
