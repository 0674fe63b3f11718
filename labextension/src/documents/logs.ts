/**
 * The log of an engine in a tab: follow, search, wrap, download, clear.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Api } from '../api';
import { expiredWords } from '../report';
import type { IEngineManager } from '../tokens';
import { clock, plain } from '../words';
import type { Standing } from './follower';
import { Follower } from './follower';
import { bar, button, press, say, show, status, toggle } from './parts';
import { Ring } from './ring';
import { Search } from './search';
import { SearchBox } from './searchbox';
import type { Slots } from './slots';
import { Viewport } from './viewport';

/** Most lines that the server returns in one response (rucat_jupyter/gateway/service/http/queries.py: MOST_LINES). */
const ALL_LINES = 100_000;
/** A hidden tab closes its stream after this time. */
const HIDDEN_MS = 5_000;

/** Dependencies of the view. */
export interface ILogsOptions {
  id: string;
  name: string;
  api: Api;
  manager: IEngineManager;
  slots: Slots;
  trans: TranslationBundle;
  save: (name: string, text: string) => void;
}

/** The tab's content. */
export class LogsView extends Widget {
  constructor(private readonly _options: ILogsOptions) {
    super();
    this.addClass('jp-Rucat-logs');
    const { trans, name } = _options;
    this._search = new Search(this._ring);
    this._viewport = new Viewport(this._ring, this._search, trans.__('Log of %1', plain(name)));
    this._follower = new Follower({ ..._options, ring: this._ring });
    this._box = new SearchBox(trans, this._search, {
      topLine: () => this._viewport.topLine,
      onChange: at => {
        if (at) {
          this._setFollow(false);
          this._viewport.show(at.line);
        }
        this._viewport.redraw();
      }
    });
    this._makeBar();
    this._follower.grown.connect(this._onGrown, this);
    this._follower.standingChanged.connect(() => this._showStatus(), this);
    this._viewport.onAtEnd = isAtEnd => press(this._followButton, isAtEnd);
    document.addEventListener('visibilitychange', this._onLook);
    // capture phase: JupyterLab's own search uses the same keys
    this.node.addEventListener('keydown', this._onKey, true);
    this._showStatus();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    clearTimeout(this._hiding);
    clearInterval(this._ticking);
    document.removeEventListener('visibilitychange', this._onLook);
    this.node.removeEventListener('keydown', this._onKey, true);
    this._options.slots.leave(this);
    this._follower.dispose();
    this._viewport.dispose();
    super.dispose();
  }

  /** Close the stream: a browser limits the connections to a server. */
  giveWay(): void {
    this._follower.pause();
  }

  protected override onAfterShow(): void {
    this._onLook();
    this._viewport.draw();
  }

  protected override onAfterAttach(): void {
    this._onLook();
  }

  protected override onAfterHide(): void {
    this._onLook();
  }

  protected override onResize(): void {
    this._viewport.update();
  }

  protected override onActivateRequest(): void {
    this._viewport.node.focus();
  }

  // --- following ------------------------------------------------------------------------------------------

  /** Follow while the tab is visible. */
  private _onLook = (): void => {
    clearTimeout(this._hiding);
    if (this.isVisible && !document.hidden) {
      this._resume();
    } else {
      this._hiding = window.setTimeout(() => {
        this._options.slots.leave(this);
        this._follower.pause();
      }, HIDDEN_MS);
    }
  };

  private _resume(): void {
    this._options.slots.enter(this);
    this._follower.start();
  }

  private _setFollow(isOn: boolean): void {
    press(this._followButton, isOn);
    this._viewport.sticks = isOn;
  }

  private _onGrown(): void {
    this._viewport.update();
    // without a query there is nothing to search in new lines
    if (this._search.query) {
      this._searching ||= requestAnimationFrame(() => {
        this._searching = 0;
        this._box.update();
      });
    }
    show(this._empty, this._ring.length === 0);
  }

  // --- the bar --------------------------------------------------------------------------------------------

  private _makeBar(): void {
    const { trans, name } = this._options;
    const shown = plain(name);
    this._followButton = toggle(
      trans.__('Follow'),
      trans.__('Scroll to new lines as they arrive; scroll up to stop'),
      true,
      isOn => this._setFollow(isOn)
    );
    const wrap = toggle(trans.__('Wrap'), trans.__('Wrap long lines'), false, isOn => {
      this._viewport.isWrapped = isOn;
    });
    this._download = button(
      trans.__('Download'),
      trans.__('Download all log lines of %1 that the server has', shown),
      () => void this._save()
    );
    const clear = button(
      trans.__('Clear'),
      trans.__('Clear this view; the log itself is kept'),
      () => this._clear()
    );
    this._tryNow = button(trans.__('Try now'), trans.__('Connect to the server again now'), () =>
      this._follower.retry()
    );
    this._resumeButton = button(
      trans.__('Resume'),
      trans.__('Follow this log again; at most two logs are followed at the same time'),
      () => this._resume()
    );
    this._empty.className = 'jp-Rucat-doc-empty';
    this._empty.textContent = trans.__('No lines yet.');
    this.node.append(
      bar(
        trans.__('Log of %1', shown),
        this._followButton,
        wrap,
        this._download,
        clear,
        this._box.node,
        this._status,
        this._tryNow,
        this._resumeButton
      ),
      this._empty,
      this._viewport.node
    );
  }

  private _clear(): void {
    this._ring.clear();
    this._box.update();
    this._viewport.redraw();
    show(this._empty, true);
  }

  private async _save(): Promise<void> {
    const { api, id, name, trans, save } = this._options;
    this._download.disabled = true;
    try {
      save(`${plain(name)}.log`, await api.logs(id, ALL_LINES));
      this._problem = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this._problem = trans.__('The download failed: %1', plain(message, 200));
    } finally {
      this._download.disabled = false;
      this._showStatus();
    }
  }

  // --- status ---------------------------------------------------------------------------------------------

  private _showStatus(): void {
    if (this.isDisposed) {
      return;
    }
    const standing = this._follower.standing;
    const words = [this._problem, this._words(standing)].filter(Boolean).join(' · ');
    say(this._status, words);
    this._status.classList.toggle('jp-mod-alert', standing.kind === 'away' || !!this._problem);
    show(this._tryNow, standing.kind === 'away');
    show(this._resumeButton, standing.kind === 'paused' && this.isVisible);
    clearInterval(this._ticking);
    if (standing.kind === 'away') {
      this._ticking = window.setInterval(() => say(this._status, this._words(standing)), 1000);
    }
  }

  private _words(standing: Standing): string {
    const { trans, name } = this._options;
    switch (standing.kind) {
      case 'connecting':
        return trans.__('Connecting …');
      case 'following':
        return trans.__('Live');
      case 'paused':
        return trans.__('Paused: two other logs are being followed');
      case 'ended':
        return trans.__('%1 is %2: the log ends here', plain(name), standing.status);
      case 'deleted':
        return trans.__('%1 was deleted; this is the last known part of its log', plain(name));
      case 'away': {
        const seconds = Math.max(0, Math.ceil((standing.retryAt.getTime() - Date.now()) / 1000));
        const since = clock(standing.since);
        if (standing.isLoggedOut) {
          return expiredWords(trans);
        }
        return trans.__(
          'No response since %1 (%2). Retrying in %3 s.',
          since,
          standing.message,
          seconds
        );
      }
    }
  }

  private _onKey = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'f') {
      event.preventDefault();
      event.stopPropagation();
      this._box.focus();
    }
  };

  private readonly _ring = new Ring();
  private readonly _search: Search;
  private readonly _viewport: Viewport;
  private readonly _follower: Follower;
  private readonly _box: SearchBox;
  private readonly _status = status();
  private readonly _empty = document.createElement('div');
  private _followButton!: HTMLButtonElement;
  private _download!: HTMLButtonElement;
  private _tryNow!: HTMLButtonElement;
  private _resumeButton!: HTMLButtonElement;
  private _problem = '';
  private _hiding: number | undefined;
  private _ticking: number | undefined;
  private _searching = 0;
}
