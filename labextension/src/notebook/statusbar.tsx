/**
 * The status bar item that shows the number of engines.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Connection, IEngine, IEngineManager, Status } from '../tokens';
import { SYMBOLS, hour } from '../words';

/** Text of the status bar; empty if there is nothing to show. */
export function summaryOf(
  engines: ReadonlyArray<IEngine>,
  connection: Connection,
  trans: TranslationBundle
): string {
  switch (connection.kind) {
    case 'ok':
      return counted(engines, trans);
    case 'offline':
      return engines.length > 0
        ? trans.__('? engines: no response since %1', hour(connection.since))
        : '';
    default:
      return '';
  }
}

function counted(engines: ReadonlyArray<IEngine>, trans: TranslationBundle): string {
  const count = (status: Status): number => engines.filter(one => one.status === status).length;
  const parts: [Status, (number: number) => string][] = [
    ['Running', number => trans._n('%1 engine', '%1 engines', number)],
    ['Pending', number => trans.__('%1 starting', number)],
    ['Unresponsive', number => trans.__('%1 unresponsive', number)],
    ['Failed', number => trans.__('%1 failed', number)]
  ];
  return parts
    .map(([status, say]) => ({ symbol: SYMBOLS[status], number: count(status), say }))
    .filter(({ number }) => number > 0)
    .map(({ symbol, number, say }) => `${symbol} ${say(number)}`)
    .join(' · ');
}

/** The widget; a click opens the panel. */
export class EnginesStatus extends ReactWidget {
  constructor(
    private readonly manager: IEngineManager,
    private readonly trans: TranslationBundle,
    private readonly open: () => void
  ) {
    super();
    this.addClass('jp-Rucat-statusItem');
    this.addClass('jp-mod-highlighted');
    manager.changed.connect(this.onChanged, this);
    this.onChanged();
  }

  /** Whether there is a text to show. */
  get isActive(): boolean {
    return this.said !== '';
  }

  /** Emitted when `isActive` changes. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  override dispose(): void {
    this.manager.changed.disconnect(this.onChanged, this);
    super.dispose();
  }

  protected override render(): JSX.Element {
    const title = this.trans.__('Rucat: %1. Open the panel', this.said);
    return (
      <button
        type="button"
        className="jp-Rucat-statusButton"
        title={title}
        aria-label={title}
        onClick={this.open}
      >
        {this.said}
      </button>
    );
  }

  private onChanged(): void {
    const said = summaryOf(this.manager.engines, this.manager.connection, this.trans);
    if (said === this.said) {
      return;
    }
    const wasActive = this.isActive;
    this.said = said;
    this.update();
    if (wasActive !== this.isActive) {
      this._activeChanged.emit();
    }
  }

  private said = '';
  private readonly _activeChanged = new Signal<this, void>(this);
}
