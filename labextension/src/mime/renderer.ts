/**
 * An engine in a cell output whose widget is gone: its state from REST, or its last known state with the time.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { button as plainButton } from '../button';
import type { IEngine, IEngineManager } from '../tokens';
import { ALERTS, clock, LIVE, plain, quoted, SETTLED, SYMBOLS } from '../words';

/** MIME type of the output (rucat_jupyter/notebook/cards/place.py). */
export const MIME = 'application/vnd.rucat.engine+json';

/** Data of an output: the state when it was written. */
export interface IBrief {
  id: string;
  name: string;
  status: string;
  as_of: string;
  is_moved: boolean;
}

/** Actions of an output. */
export interface IOutputActions {
  attach: (engine: IEngine) => void;
  start: (engine: IEngine) => void;
  show: (engine: IEngine) => void;
  /** Whether the server has a history of this engine id. */
  wasHere: (id: string) => Promise<boolean>;
}

/** The part of the manager that an output needs. */
export type IEngines = Pick<IEngineManager, 'find' | 'changed' | 'connection'>;

/** One output. */
export class EngineOutput extends Widget implements IRenderMime.IRenderer {
  constructor(
    private readonly _engines: IEngines,
    private readonly _actions: IOutputActions,
    private readonly _trans: TranslationBundle
  ) {
    super();
    // CSS of the notebook side hides this class while the widget before it is alive
    this.addClass('jp-Rucat-output');
    this.addClass('rucat-static');
    this._engines.changed.connect(this._draw, this);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._brief = read(model.data[MIME]);
    this._drawn = '';
    this._wasHere = undefined;
    this._draw();
    return Promise.resolve();
  }

  override dispose(): void {
    this._engines.changed.disconnect(this._draw, this);
    super.dispose();
  }

  private _draw(): void {
    const brief = this._brief;
    if (!brief || this.isDisposed) {
      return;
    }
    const isKnown = this._engines.connection.kind === 'ok';
    const engine = isKnown ? this._engines.find(brief.id) : undefined;
    const words = engine ? this._live(engine) : isKnown ? this._gone(brief) : this._old(brief);
    const mark = `${words} ${engine?.verbs.join() ?? ''}`;
    if (mark !== this._drawn) {
      this._drawn = mark;
      this.node.replaceChildren(this._line(words, engine), ...this._buttons(engine, brief));
    }
  }

  private _line(words: string, engine: IEngine | undefined): HTMLElement {
    const line = document.createElement('span');
    line.setAttribute('role', 'status');
    if (engine) {
      const shape = document.createElement('span');
      shape.className = 'jp-Rucat-output-shape';
      shape.textContent = SYMBOLS[engine.status] ?? '?';
      shape.setAttribute('aria-hidden', 'true');
      line.append(shape);
    }
    line.classList.toggle('jp-mod-alert', ALERTS.includes(engine?.status ?? ''));
    line.append(words);
    return line;
  }

  private _live(engine: IEngine): string {
    const { _trans: trans } = this;
    const why = engine.failure ? `: ${plain(engine.failure.reason)}` : '';
    const now = trans.__('%1 · %2 now', plain(engine.name), `${engine.status}${why}`);
    return this._brief!.is_moved ? `${now} · ${trans.__('its card is in a later cell')}` : now;
  }

  private _old({ name, status, as_of }: IBrief): string {
    return this._trans.__('%1 · %2 as of %3', plain(name, 80), plain(status, 20), moment(as_of));
  }

  private _gone(brief: IBrief): string {
    if (this._wasHere === undefined) {
      this._wasHere = null;
      this._actions.wasHere(brief.id).then(
        wasHere => {
          this._wasHere = wasHere;
          this._draw();
        },
        () => {
          this._wasHere = undefined; // no response: the next change asks again
        }
      );
    }
    const name = plain(brief.name, 80);
    switch (this._wasHere) {
      case true:
        return this._trans.__('%1 · deleted', name);
      case false:
        return `${this._old(brief)} · ${this._trans.__('unknown on this server')}`;
      default:
        return this._old(brief);
    }
  }

  private _buttons(engine: IEngine | undefined, brief: IBrief): HTMLElement[] {
    if (!engine || brief.is_moved) {
      return [];
    }
    const { _trans: trans, _actions: actions } = this;
    const name = plain(engine.name);
    const found: HTMLElement[] = [];
    if (LIVE.includes(engine.status) || engine.status === 'Pending') {
      const code = document.createElement('code');
      code.textContent = `%rucat attach ${quoted(engine.name)}`;
      const title = trans.__('Attach this notebook to %1', name);
      found.push(
        code,
        button(trans.__('Attach'), title, () => actions.attach(engine))
      );
    } else if (SETTLED.includes(engine.status) && engine.verbs.includes('restart')) {
      const title = trans.__('Start %1 with its stored settings', name);
      found.push(button(trans.__('Start'), title, () => actions.start(engine)));
    }
    const title = trans.__('Show %1 in the Rucat panel', name);
    return [...found, button(trans.__('Details'), title, () => actions.show(engine))];
  }

  private _brief: IBrief | null = null;
  private _drawn = '';
  /** undefined: not requested; null: request in progress. */
  private _wasHere: boolean | null | undefined;
}

/** Parse the data of an output. It is not trusted: only strings are used, as text. */
function read(data: unknown): IBrief {
  const given = (typeof data === 'object' && data ? data : {}) as Record<string, unknown>;
  const text = (key: string) => (typeof given[key] === 'string' ? given[key] : '');
  return {
    id: text('id'),
    name: text('name'),
    status: text('status'),
    as_of: text('as_of'),
    is_moved: given.is_moved === true
  };
}

function moment(text: string): string {
  return Number.isNaN(Date.parse(text)) ? '?' : clock(text).replace(/:\d\d$/, '');
}

function button(label: string, title: string, onClick: () => void): HTMLButtonElement {
  return plainButton('jp-Rucat-output-button', label, title, onClick);
}
