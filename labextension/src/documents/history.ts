/**
 * The history of an engine as a timeline in a tab; by id also that of a deleted engine.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Api } from '../api';
import { RucatError, isLoggedOut } from '../api';
import { expiredWords } from '../report';
import type { IEngineManager, IEvent } from '../tokens';
import { clock, plain } from '../words';
import type { IDay, IEntry } from './events';
import { timeline } from './events';
import { bar, button, say, status } from './parts';

/** Pause after a failed read; doubles up to LONGEST_RETRY_MS. */
const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

/** Dependencies of the view. */
export interface IHistoryOptions {
  id: string;
  name: string;
  api: Pick<Api, 'history'>;
  manager: IEngineManager;
  trans: TranslationBundle;
}

/** The tab's content. */
export class HistoryView extends Widget {
  constructor(private readonly _options: IHistoryOptions) {
    super();
    this.addClass('jp-Rucat-history');
    const { trans, name } = _options;
    const label = trans.__('History of %1', plain(name));
    const reload = button(trans.__('Reload'), trans.__('Reload the history'), () => this._read());
    this._list.className = 'jp-Rucat-history-list';
    this._list.tabIndex = 0;
    this._list.setAttribute('role', 'region');
    this._list.setAttribute('aria-label', label);
    this.node.append(bar(label, reload, this._status), this._list);
    _options.manager.changed.connect(this._onEngines, this);
  }

  /** The first read happens when the tab is shown. */
  protected override onAfterShow(): void {
    this._refresh();
  }

  protected override onAfterAttach(): void {
    this._refresh();
  }

  protected override onActivateRequest(): void {
    this._list.focus();
  }

  override dispose(): void {
    clearTimeout(this._timer);
    this._options.manager.changed.disconnect(this._onEngines, this);
    super.dispose();
  }

  private _onEngines(): void {
    if (this._options.manager.connection.kind === 'ok') {
      this._refresh();
    }
  }

  /** Read if the engine has changed since the last read and the tab is visible. */
  private _refresh(): void {
    const engine = this._options.manager.find(this._options.id);
    const mark = engine ? `${engine.revision} ${engine.status}` : 'gone';
    if (this.isVisible && mark !== this._mark) {
      this._mark = mark;
      this._read();
    }
  }

  private _read(): void {
    clearTimeout(this._timer);
    const number = (this._number += 1);
    this._options.api.history(this._options.id).then(
      events => {
        if (number === this._number && !this.isDisposed) {
          this._pause = RETRY_MS;
          this._draw(events);
        }
      },
      error => {
        if (number === this._number && !this.isDisposed) {
          this._fail(error);
        }
      }
    );
  }

  private _fail(error: unknown): void {
    const { trans, name } = this._options;
    this._status.classList.add('jp-mod-alert');
    if (error instanceof RucatError && error.code === 'not_found') {
      say(this._status, trans.__('There is no history of %1.', plain(name)));
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    say(
      this._status,
      isLoggedOut(error)
        ? expiredWords(trans)
        : trans.__('No response (%1). Retrying.', plain(message, 200))
    );
    this._mark = ''; // read again as soon as the panel is connected again
    this._timer = window.setTimeout(() => this._read(), this._pause);
    this._pause = Math.min(2 * this._pause, LONGEST_RETRY_MS);
  }

  private _draw(events: IEvent[]): void {
    const { trans, manager, id, name } = this._options;
    const engine = manager.find(id);
    const isGone = !engine && manager.connection.kind === 'ok';
    this._status.classList.remove('jp-mod-alert');
    say(
      this._status,
      isGone
        ? trans.__('%1 was deleted; its history is kept for a limited time', plain(name))
        : trans.__('As of %1', clock(new Date()))
    );
    const top = this._list.scrollTop;
    this._list.replaceChildren(...timeline(trans, events, engine).map(day => this._day(day)));
    this._list.scrollTop = top;
  }

  private _day({ day, entries }: IDay): HTMLElement {
    const made = element('section', 'jp-Rucat-history-day');
    const list = element('ol', 'jp-Rucat-history-entries');
    list.append(...entries.map(entry => this._entry(entry)));
    made.append(element('h2', 'jp-Rucat-history-date', day), list);
    return made;
  }

  private _entry(entry: IEntry): HTMLElement {
    const { trans } = this._options;
    const made = element('li', 'jp-Rucat-history-entry');
    made.classList.toggle('jp-mod-alert', entry.isAlert);
    const time = element('time', 'jp-Rucat-history-time', entry.time);
    time.setAttribute('datetime', entry.at);
    time.title = entry.at && new Date(entry.at).toLocaleString();
    const shape = element('span', 'jp-Rucat-history-shape', entry.symbol);
    shape.setAttribute('aria-hidden', 'true');
    const words = element('div', 'jp-Rucat-history-words');
    words.append(element('div', 'jp-Rucat-history-what', entry.what));
    for (const [kind, text] of [
      ['why', entry.why],
      ['hint', entry.hint],
      ['by', entry.by && trans.__('by %1', entry.by)]
    ]) {
      if (text) {
        words.append(element('div', `jp-Rucat-history-${kind}`, text));
      }
    }
    const run = element('span', 'jp-Rucat-history-run', trans.__('run %1', entry.run));
    made.append(time, shape, words, run);
    return made;
  }

  private readonly _status = status();
  private readonly _list = document.createElement('div');
  private _mark = '';
  private _number = 0;
  private _timer: number | undefined;
  private _pause = RETRY_MS;
}

function element(tag: string, className: string, text?: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}
