/**
 * The side panel as a widget: keeps open details and sort order, and pauses while it is hidden.
 */
import { ReactWidget } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Menu } from '@lumino/widgets';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Api } from '../api';
import { engineIcon } from '../icons';
import type { IEngineManager, IFrontNotebook } from '../tokens';
import { NAMESPACE } from '../tokens';
import { menu } from './actions';
import { Clock } from './clock';
import type { IPanelContext } from './context';
import { PanelProvider } from './context';
import type { Sort } from './order';
import { Panel } from './panel';

/** Id of the panel's widget. */
export const PANEL_ID = 'rucat-panel';
const STATE_KEY = `${NAMESPACE}:panel`;

export interface IEnginePanelOptions {
  api: Api;
  commands: CommandRegistry;
  front: IFrontNotebook | null;
  manager: IEngineManager;
  state: IStateDB | null;
  trans: TranslationBundle;
}

/** The side panel. */
export class EnginePanel extends ReactWidget {
  constructor(private readonly _options: IEnginePanelOptions) {
    super();
    const { api, commands, front, manager, trans } = _options;
    this.id = PANEL_ID;
    this.title.icon = engineIcon;
    this.title.caption = trans.__('Rucat: engines');
    this.addClass('jp-Rucat-sidePanel');
    this._context = {
      api,
      clock: this._clock,
      commands,
      trans,
      run: (command, args) => {
        if (commands.hasCommand(command)) {
          void commands.execute(command, args);
        }
      },
      openMenu: (id, x, y) => this._openMenu(id, x, y)
    };
    this._clock.isPaused = true;
    manager.changed.connect(this._onChanged, this);
    front?.changed.connect(this._onChanged, this);
    void this._restore();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.manager.changed.disconnect(this._onChanged, this);
    this._options.front?.changed.disconnect(this._onChanged, this);
    this._clock.dispose();
    this._menu?.dispose();
    super.dispose();
  }

  /** Open the details of an engine. */
  open(id: string): void {
    this._openId = id;
    this.update();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._clock.isPaused = false;
    this.update();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._clock.isPaused = !this.isVisible;
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._clock.isPaused = true;
  }

  protected override render(): JSX.Element {
    const { front, manager } = this._options;
    return (
      <PanelProvider value={this._context}>
        <Panel
          manager={manager}
          front={front}
          sort={this._sort}
          openId={this._openId}
          onSort={this._onSort}
          onToggle={this._onToggle}
        />
      </PanelProvider>
    );
  }

  private _onChanged(): void {
    if (this.isVisible) {
      this.update();
    }
  }

  private _onSort = (sort: Sort): void => {
    this._sort = sort;
    void this._options.state?.save(STATE_KEY, { sort });
    this.update();
  };

  private _onToggle = (id: string): void => {
    this._openId = this._openId === id ? null : id;
    this.update();
  };

  private async _restore(): Promise<void> {
    const found = (await this._options.state?.fetch(STATE_KEY)) as { sort?: Sort } | undefined;
    if (found?.sort) {
      this._sort = found.sort;
      this.update();
    }
  }

  private _openMenu(id: string, x: number, y: number): void {
    const { commands } = this._options;
    this._menu?.dispose();
    this._menu = new Menu({ commands });
    this._menu.addClass('jp-Rucat-menu');
    for (const group of menuOf(this._options, id)) {
      group.forEach(item => this._menu!.addItem(item));
      this._menu.addItem({ type: 'separator' });
    }
    const before = document.activeElement;
    this._menu.aboutToClose.connect(() => before instanceof HTMLElement && before.focus());
    this._menu.open(x, y);
  }

  private readonly _clock = new Clock();
  private readonly _context: IPanelContext;
  private _menu: Menu | null = null;
  private _openId: string | null = null;
  private _sort: Sort = 'status';
}

/** The commands of an engine's menu that are installed. */
function menuOf({ commands, manager }: IEnginePanelOptions, id: string): Menu.IItemOptions[][] {
  const engine = manager.find(id);
  const groups = engine ? menu(engine) : [];
  return groups
    .map(group => group.filter(({ command }) => commands.hasCommand(command)))
    .filter(group => group.length > 0);
}
