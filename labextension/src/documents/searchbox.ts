/**
 * The search box of a log: input, number of matches, previous and next.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { button, say } from './parts';
import type { IMatch, Search } from './search';
import { MOST } from './search';

/** Callbacks of a search box. */
export interface ISearched {
  /** The first visible line. */
  topLine: () => number;
  /** The matches or the current match have changed; `at`: scroll there. */
  onChange: (at: IMatch | null) => void;
}

/** The search box. */
export class SearchBox {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _search: Search,
    private readonly _searched: ISearched
  ) {
    this.input.type = 'search';
    this.input.className = 'jp-Rucat-doc-search jp-mod-styled';
    this.input.placeholder = _trans.__('Search');
    this.input.setAttribute('aria-label', _trans.__('Search in this log'));
    this.input.addEventListener('input', () => this._ask());
    this.input.addEventListener('keydown', event => this._onKey(event));
    this._count.className = 'jp-Rucat-doc-count';
    this._count.setAttribute('role', 'status');
    const back = button('↑', _trans.__('Previous match (Shift+Enter)'), () => this._step(-1));
    const on = button('↓', _trans.__('Next match (Enter)'), () => this._step(1));
    for (const arrow of [back, on]) {
      arrow.setAttribute('aria-label', arrow.title);
    }
    this.node.className = 'jp-Rucat-doc-searching';
    this.node.setAttribute('role', 'search');
    this.node.append(this.input, this._count, back, on);
  }

  readonly node = document.createElement('div');
  readonly input = document.createElement('input');

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  /** Update the matches after lines were added or dropped. */
  update(): void {
    this._search.update();
    this._showCount();
  }

  private _ask(): void {
    this._search.ask(this.input.value);
    const first = this.input.value ? this._search.step(1, this._searched.topLine()) : null;
    this._searched.onChange(first);
    this._showCount();
  }

  private _step(by: 1 | -1): void {
    const at = this._search.step(by, this._searched.topLine());
    this._searched.onChange(at);
    this._showCount();
  }

  private _onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter') {
      event.preventDefault();
      this._step(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape' && this.input.value) {
      event.preventDefault();
      this.input.value = '';
      this._ask();
    }
  }

  private _showCount(): void {
    const { query, matches, current, isCut } = this._search;
    if (!query) {
      say(this._count, '');
      return;
    }
    const all = isCut ? `${MOST}+` : String(matches.length);
    say(
      this._count,
      matches.length ? this._trans.__('%1 of %2', current + 1, all) : this._trans.__('not found')
    );
  }

  private readonly _count = document.createElement('span');
}
