/**
 * Draws only the visible lines of a ring buffer, and keeps the scroll position.
 */
import type { ILine, Ring } from './ring';
import type { Search } from './search';

/** Extra rows above and below, so that scrolling shows no gaps. */
const MARGIN_ROWS = 12;
/** A smaller distance from the end counts as the end. */
const NEAR_PX = 8;
/** Characters that take two columns of a fixed-width font. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud800-\udbff][\udc00-\udfff]/g;

/** The scroll area of a log. */
export class Viewport {
  constructor(
    private readonly _ring: Ring,
    private readonly _search: Search,
    label: string
  ) {
    this.node.className = 'jp-Rucat-log';
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', label);
    this._space.className = 'jp-Rucat-log-space';
    this._rows.className = 'jp-Rucat-log-rows';
    this._probe.className = 'jp-Rucat-log-line jp-Rucat-log-probe';
    this._probe.textContent = '0'.repeat(100);
    this._probe.setAttribute('aria-hidden', 'true');
    this._space.append(this._rows);
    this.node.append(this._probe, this._space);
    this.node.addEventListener('scroll', this._onScroll, { passive: true });
    this._resizes.observe(this.node);
  }

  readonly node = document.createElement('div');
  /** Called when the user scrolls away from the end, or back to it. */
  onAtEnd: (isAtEnd: boolean) => void = () => undefined;

  get isWrapped(): boolean {
    return this._isWrapped;
  }

  set isWrapped(value: boolean) {
    const top = this.topLine;
    this._isWrapped = value;
    this.node.classList.toggle('jp-mod-wrapped', value);
    this.redraw();
    if (!this._sticks) {
      this.show(top, 0);
    }
  }

  /** Whether it scrolls to new lines. */
  get sticks(): boolean {
    return this._sticks;
  }

  set sticks(value: boolean) {
    this._sticks = value;
    this.draw();
  }

  /** Number of the first visible line. */
  get topLine(): number {
    return this._lineAt(Math.floor(this.node.scrollTop / this._rowPx));
  }

  /** Scroll to a line, at `share` of the height from the top. */
  show(line: number, share = 0.3): void {
    this._measure();
    const top = this._topOf(line) * this._rowPx - share * this.node.clientHeight;
    this.node.scrollTop = Math.max(0, top);
    this.draw();
  }

  /** Draw in the next frame; several calls draw once. */
  update(): void {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this.draw();
    });
  }

  /** Redraw everything: highlights, wrapping or fonts have changed. */
  redraw(): void {
    this._rows.replaceChildren();
    this._drawn.clear();
    this._tops = [];
    this._columns = 0;
    this._widest = 0;
    this.draw();
  }

  /** Draw what has changed. */
  draw(): void {
    if (!this.node.isConnected) {
      return;
    }
    this._measure();
    const rowPx = this._rowPx;
    const height = this.node.clientHeight;
    this._space.style.height = `${this._total() * rowPx}px`;
    if (this._sticks) {
      this.node.scrollTop = this.node.scrollHeight;
    } else {
      this._keepPlace(rowPx);
    }
    const top = Math.floor(this.node.scrollTop / rowPx) - MARGIN_ROWS;
    const bottom = top + Math.ceil(height / rowPx) + 2 * MARGIN_ROWS;
    this._fill(this._lineAt(top), this._lineAt(bottom) + 1);
  }

  dispose(): void {
    cancelAnimationFrame(this._frame);
    this._resizes.disconnect();
    this.node.removeEventListener('scroll', this._onScroll);
  }

  // --- drawing --------------------------------------------------------------------------------------------

  private _fill(from: number, to: number): void {
    const end = Math.min(to, this._ring.end);
    for (const [number, row] of this._drawn) {
      if (number < from || number >= end) {
        row.remove();
        this._drawn.delete(number);
      }
    }
    let next: ChildNode | null = this._rows.firstChild;
    for (let number = from; number < end; number++) {
      const there = this._drawn.get(number);
      if (there) {
        next = there.nextSibling;
        continue;
      }
      const row = this._row(number);
      this._rows.insertBefore(row, next);
      this._drawn.set(number, row);
    }
    this._space.style.minWidth = this._isWrapped ? '' : `${this._widest * this._charPx}px`;
    this._rows.style.transform = `translateY(${this._topOf(from) * this._rowPx}px)`;
  }

  private _row(number: number): HTMLElement {
    const line = this._ring.at(number);
    // never shrinks, so that nothing moves sideways when lines are dropped
    this._widest = Math.max(this._widest, columnsOf(line.text));
    const row = document.createElement('div');
    row.className = line.isNote ? 'jp-Rucat-log-line jp-mod-note' : 'jp-Rucat-log-line';
    row.append(...this._pieces(number, line));
    return row;
  }

  /** The line as text nodes and highlights. */
  private _pieces(number: number, { text }: ILine): Node[] {
    const { query, matches, current } = this._search;
    const places = query ? this._search.places(text) : [];
    const pieces: Node[] = [];
    let from = 0;
    for (const at of places) {
      const mark = document.createElement('mark');
      mark.textContent = text.slice(at, at + query.length);
      const here = matches[current];
      mark.classList.toggle('jp-mod-current', here?.line === number && here.at === at);
      pieces.push(document.createTextNode(text.slice(from, at)), mark);
      from = at + query.length;
    }
    // an empty line needs a height, too
    pieces.push(document.createTextNode(text.slice(from) || (from ? '' : '\u200b')));
    return pieces;
  }

  // --- positions ------------------------------------------------------------------------------------------

  /** Number of rows above a line. */
  private _topOf(line: number): number {
    const index = Math.max(0, Math.min(line, this._ring.end) - this._ring.first);
    return this._isWrapped ? this._sums()[index] : index;
  }

  private _total(): number {
    return this._topOf(this._ring.end);
  }

  private _lineAt(row: number): number {
    const { first, end } = this._ring;
    if (!this._isWrapped) {
      return Math.max(first, Math.min(first + row, end - 1));
    }
    const sums = this._sums();
    let [low, high] = [0, Math.max(0, end - first - 1)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      [low, high] = sums[middle] <= row ? [middle, high] : [low, middle - 1];
    }
    return first + low;
  }

  /** Number of rows above each line and above the end; recalculated when lines were added or dropped. */
  private _sums(): number[] {
    const { first, end } = this._ring;
    if (this._tops.length === end - first + 1 && this._topsFirst === first) {
      return this._tops;
    }
    const kept = this._topsFirst <= first ? this._tops.slice(first - this._topsFirst) : [];
    const gone = kept[0] ?? 0;
    const sums = kept.length ? kept.map(sum => sum - gone) : [0];
    for (let line = first + sums.length - 1; line < end; line++) {
      sums.push(sums[sums.length - 1] + this._rowsOf(this._ring.at(line).text));
    }
    this._tops = sums;
    this._topsFirst = first;
    return sums;
  }

  private _rowsOf(text: string): number {
    return Math.max(1, Math.ceil(columnsOf(text) / Math.max(1, this._columns)));
  }

  /** Scroll by the height of dropped lines, so that the visible text does not move. */
  private _keepPlace(rowPx: number): void {
    const { first } = this._ring;
    if (first > this._placeFirst && this.node.scrollTop > 0) {
      this.node.scrollTop -= this._goneRows(first) * rowPx;
    }
    this._placeFirst = first;
    this._placeTops = this._isWrapped ? this._sums() : [];
  }

  private _goneRows(first: number): number {
    const gone = first - this._placeFirst;
    return this._isWrapped ? (this._placeTops[gone] ?? 0) : gone;
  }

  /** Measure before any write to the DOM: a read after a write forces a new layout. */
  private _measure(): void {
    const { width, height } = this._probe.getBoundingClientRect();
    this._charPx = width / 100 || 8;
    this._rowPx = height || 17;
    const columns = Math.floor((this.node.clientWidth - 2 * PAD_PX) / this._charPx);
    if (columns !== this._columns) {
      this._columns = columns;
      this._tops = [];
    }
  }

  private _onScroll = (): void => {
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR_PX;
    const isUp = scrollTop < this._lastTop;
    this._lastTop = scrollTop;
    if (isAtEnd !== this._sticks && (isAtEnd || isUp)) {
      this._sticks = isAtEnd;
      this._placeFirst = this._ring.first;
      this.onAtEnd(isAtEnd);
    }
    this.update();
  };

  private readonly _space = document.createElement('div');
  private readonly _rows = document.createElement('div');
  private readonly _probe = document.createElement('div');
  private readonly _drawn = new Map<number, HTMLElement>();
  private readonly _resizes = new ResizeObserver(() => this.update());
  private _isWrapped = false;
  private _sticks = true;
  private _frame = 0;
  private _lastTop = 0;
  private _columns = 0;
  /** Size of a character and a row. */
  private _charPx = 8;
  private _rowPx = 17;
  /** Columns of the widest line that was drawn. */
  private _widest = 0;
  private _tops: number[] = [];
  private _topsFirst = 0;
  private _placeFirst = 0;
  private _placeTops: number[] = [];
}

/** Padding left and right of a line (style/documents.css). */
const PAD_PX = 8;

/** Columns that a text takes in a fixed-width font. */
function columnsOf(text: string): number {
  return text.length + (text.match(WIDE)?.length ?? 0);
}
