/**
 * The Spark UI of an engine in a tab, isolated from JupyterLab, and a message if there is no Spark UI.
 *
 * The frame is sandboxed, and so are the pages by their own CSP (rucat_jupyter/gateway/service/http/ui.py): scripts of an engine do
 * not have the origin of Jupyter.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Api } from '../api';
import { expiredWords } from '../report';
import type { IEngine, IEngineManager } from '../tokens';
import { LIVE, plain } from '../words';
import { bar, button, say, show, status } from './parts';

/** Permissions of the pages; never `allow-same-origin`. */
export const SANDBOX =
  'allow-scripts allow-forms allow-downloads allow-popups allow-popups-to-escape-sandbox';

/** Dependencies of the view. */
export interface IUiOptions {
  id: string;
  name: string;
  api: Pick<Api, 'url'>;
  manager: IEngineManager;
  trans: TranslationBundle;
}

/** Whether Rucat can show the Spark UI of an engine; never that of an external engine. */
export function hasUi(engine: IEngine | undefined): boolean {
  return Boolean(
    engine &&
    engine.platform !== 'external' &&
    LIVE.includes(engine.status) &&
    engine.endpoint?.ui_url
  );
}

/** The tab's content. */
export class UiView extends Widget {
  constructor(private readonly _options: IUiOptions) {
    super();
    this.addClass('jp-Rucat-ui');
    const { trans, name, manager } = _options;
    const shown = plain(name);
    this._reload = button(
      trans.__('Reload'),
      trans.__('Reload the first page of the Spark UI'),
      () => this._load()
    );
    this._open = button(
      trans.__('Open in a browser tab'),
      trans.__('Open the Spark UI of %1 in a new browser tab', shown),
      () => this._openTab()
    );
    this._frame.className = 'jp-Rucat-ui-frame';
    this._frame.title = trans.__('Spark UI of %1', shown);
    this._frame.setAttribute('sandbox', SANDBOX);
    this._frame.setAttribute('referrerpolicy', 'no-referrer');
    this._away.className = 'jp-Rucat-doc-empty';
    this._away.setAttribute('role', 'status');
    this.node.append(
      bar(this._frame.title, this._reload, this._open, this._status),
      this._away,
      this._frame
    );
    manager.changed.connect(this._update, this);
    this._update();
  }

  override dispose(): void {
    this._options.manager.changed.disconnect(this._update, this);
    super.dispose();
  }

  protected override onAfterShow(): void {
    this._update();
  }

  protected override onAfterAttach(): void {
    this._update();
  }

  protected override onActivateRequest(): void {
    (this._frame.hidden ? this._reload : this._frame).focus();
  }

  /** Show the page of the current run, or say why there is none. */
  private _update(): void {
    const engine = this._options.manager.find(this._options.id);
    const { kind } = this._options.manager.connection;
    const isShown = hasUi(engine);
    say(this._status, this._note(engine));
    if (isShown && engine!.run !== this._run && this.isVisible) {
      this._run = engine!.run;
      this._load();
    } else if (!isShown && (kind === 'ok' || !this._run)) {
      this._run = null;
      this._frame.src = 'about:blank';
    }
    const isFramed = this._run !== null;
    show(this._frame, isFramed);
    show(this._away, !isFramed);
    this._reload.disabled = this._open.disabled = !isShown;
    say(this._away, isFramed ? '' : this._why(engine, kind));
  }

  private _load(): void {
    const url = this._url();
    if (url) {
      this._frame.src = url;
    }
  }

  private _openTab(): void {
    const url = this._url();
    if (url) {
      window.open(url, '_blank', 'noopener');
    }
  }

  private _url(): string | null {
    const { api, manager, id } = this._options;
    const relative = manager.find(id)?.endpoint?.ui_url;
    return relative ? api.url(relative) : null;
  }

  /** Status next to a visible page. */
  private _note(engine: IEngine | undefined): string {
    const { trans, manager } = this._options;
    const { connection } = manager;
    if (connection.kind === 'forbidden' && connection.isLoggedOut) {
      return expiredWords(trans);
    }
    if (connection.kind === 'offline') {
      return trans.__('Rucat does not respond: this page may be outdated.');
    }
    return engine?.status === 'Unresponsive'
      ? trans.__('The engine does not respond at the moment.')
      : '';
  }

  /** Message instead of a page. */
  private _why(engine: IEngine | undefined, kind: string): string {
    const { trans, name } = this._options;
    const shown = plain(engine?.name ?? name);
    if (!engine) {
      return kind === 'ok'
        ? trans.__('%1 was deleted: its Spark UI no longer exists.', shown)
        : trans.__('Looking for %1 …', shown);
    }
    if (engine.platform === 'external') {
      return trans.__('%1 is an external engine: Rucat does not show its Spark UI.', shown);
    }
    if (LIVE.includes(engine.status)) {
      return engine.endpoint?.ui_url
        ? trans.__('Loading …')
        : trans.__('%1 has no Spark UI: it was created with spark.ui.enabled=false.', shown);
    }
    return trans.__(
      '%1 is %2. Its Spark UI is available while the engine runs.',
      shown,
      trans.__(engine.status)
    );
  }

  private readonly _frame = document.createElement('iframe');
  private readonly _away = document.createElement('div');
  private readonly _status = status();
  private readonly _reload: HTMLButtonElement;
  private readonly _open: HTMLButtonElement;
  /** Number of the run whose page is shown. */
  private _run: number | null = null;
}
