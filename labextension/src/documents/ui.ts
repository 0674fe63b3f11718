/**
 * An engine's Spark UI in a tab: a page of the engine, kept apart from JupyterLab, and what is said where it has none.
 *
 * The frame is sandboxed, and so are the pages by their own policy (rucat_jupyter/service/ui.py): scripts of an engine
 * have not the origin of Jupyter.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Api } from '../api';
import type { IEngine, IEngineManager } from '../tokens';
import { LIVE, plain } from '../words';
import { bar, button, say, show, status } from './parts';

/** What a page of an engine may; not `allow-same-origin`. */
export const SANDBOX =
  'allow-scripts allow-forms allow-downloads allow-popups allow-popups-to-escape-sandbox';

/** What a Spark UI is shown with. */
export interface IUiOptions {
  id: string;
  name: string;
  api: Pick<Api, 'url'>;
  manager: IEngineManager;
  trans: TranslationBundle;
}

/** Whether an engine has a Spark UI that can be shown: never one that someone else runs. */
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
      trans.__('Load the first page of the Spark UI again'),
      () => this._load()
    );
    this._open = button(
      trans.__('Open in a browser tab'),
      trans.__('Show the Spark UI of %1 in a tab of its own', shown),
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

  /** Show the page of the life that is, or say why there is none. */
  private _update(): void {
    const engine = this._options.manager.find(this._options.id);
    const { kind } = this._options.manager.connection;
    const isShown = hasUi(engine);
    say(this._status, this._note(engine, kind));
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

  /** Beside a page that is shown. */
  private _note(engine: IEngine | undefined, kind: string): string {
    const { trans } = this._options;
    if (kind === 'offline') {
      return trans.__('Rucat does not answer: what is shown may be old.');
    }
    return engine?.status === 'Unresponsive' ? trans.__('The engine does not answer now.') : '';
  }

  /** In the place of a page. */
  private _why(engine: IEngine | undefined, kind: string): string {
    const { trans, name } = this._options;
    const shown = plain(engine?.name ?? name);
    if (!engine) {
      return kind === 'ok'
        ? trans.__('%1 was deleted: it has no Spark UI any more.', shown)
        : trans.__('Looking for %1 …', shown);
    }
    if (engine.platform === 'external') {
      return trans.__("%1 is someone else's engine: Rucat does not show its Spark UI.", shown);
    }
    if (LIVE.includes(engine.status)) {
      return engine.endpoint?.ui_url
        ? trans.__('Loading …')
        : trans.__('%1 has no Spark UI: it was made with spark.ui.enabled=false.', shown);
    }
    return trans.__('%1 is %2: its Spark UI comes back with it.', shown, trans.__(engine.status));
  }

  private readonly _frame = document.createElement('iframe');
  private readonly _away = document.createElement('div');
  private readonly _status = status();
  private readonly _reload: HTMLButtonElement;
  private readonly _open: HTMLButtonElement;
  /** The life whose page is shown. */
  private _run: number | null = null;
}
