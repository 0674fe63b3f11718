/**
 * Pieces of a streamed log as lines that can be shown: plain text, none of them so long that a page freezes on it.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { plain } from '../words';

/** Of a line more is not shown (as rucat_jupyter/notebook/text.py: LONGEST_LINE). */
export const LONGEST_LINE = 10_000;

/** Cuts a stream of text at its line ends; of a line that is too long only the begin is kept, and its length. */
export class LineReader {
  constructor(private readonly _trans: TranslationBundle) {}

  /** The lines that are complete with this piece. */
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

  /** The last line, where it has no end. */
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
 * The text in memory of its own: a part of a string keeps the whole of it alive, here the piece of the stream that it
 * was cut from.
 */
function own(text: string): string {
  return DECODER.decode(ENCODER.encode(text));
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
