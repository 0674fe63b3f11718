/**
 * The item in the toolbar of a notebook that shows its engine, with a menu.
 */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { engineIcon } from '../icons';
import type { Connection, IEngineManager } from '../tokens';
import { SYMBOLS, hour, note, plain } from '../words';
import type { IAttempt, ILink, Links } from './links';
import { entriesOf, menuOf } from './menu';
import { wordOf } from './words';

/** Content of the item. */
export interface IItem {
  /** A symbol; empty: the Rucat icon. */
  symbol: string;
  /** Name of the engine, or a placeholder. */
  name: string;
  /** The status as a word; empty without an engine. */
  word: string;
  /** The full text, for tooltip and screen readers. */
  title: string;
}

/** Content of the item for a link; null: the item is hidden. */
export function itemOf(
  link: ILink,
  connection: Connection,
  trans: TranslationBundle
): IItem | null {
  if (connection.kind === 'missing' || connection.kind === 'forbidden') {
    return null;
  }
  if (link.attempt) {
    return attempted(link.attempt, trans);
  }
  if (link.engine) {
    const { status } = link.engine;
    const name = plain(link.engine.name);
    if (connection.kind === 'offline') {
      const since = hour(connection.since);
      const title = trans.__('Engine %1: unknown, no response since %2', name, since);
      return { symbol: '?', name, word: trans.__('Unknown'), title };
    }
    const word = wordOf(status, trans);
    const more = note(trans, link.engine);
    const title = trans.__('Engine %1: %2', name, more ? `${word} · ${more}` : word);
    return { symbol: SYMBOLS[status] ?? '?', name, word, title };
  }
  const title = link.kept
    ? trans.__('No engine is attached; the session on %1 is kept', plain(link.kept.name))
    : trans.__('No engine is attached');
  return { symbol: '', name: trans.__('Engine'), word: '', title };
}

function attempted({ verb, name: given, phase }: IAttempt, trans: TranslationBundle): IItem {
  const name = plain(given);
  const words = {
    kernel: trans.__('Starting the kernel'),
    engine: trans.__('Starting'),
    queued: trans.__('Waiting for the kernel'),
    running: verb === 'attach' ? trans.__('Attaching') : trans.__('Detaching')
  };
  const word = words[phase];
  return { symbol: SYMBOLS.Pending, name, word, title: trans.__('Engine %1: %2', name, word) };
}

/** The widget of one notebook. */
export class EngineItem extends ReactWidget {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly options: {
      links: Links;
      manager: IEngineManager;
      commands: CommandRegistry;
      trans: TranslationBundle;
    }
  ) {
    super();
    this.addClass('jp-Rucat-toolbarItem');
    options.links.changed.connect(this.update, this);
  }

  override dispose(): void {
    this.options.links.changed.disconnect(this.update, this);
    super.dispose();
  }

  protected override render(): JSX.Element | null {
    const { links, manager, trans } = this.options;
    const item = itemOf(links.of(this.panel), manager.connection, trans);
    this.setHidden(item === null);
    return item && <ItemButton item={item} isOpen={this.isOpen} open={this.open} />;
  }

  /** Open the menu below the item; when it closes, the item gets the focus back. */
  private readonly open = (): void => {
    const { links, manager, commands, trans } = this.options;
    const { path } = this.panel.context;
    const menu = menuOf(entriesOf(links.of(this.panel), manager.engines, path, trans), commands);
    const button = this.node.querySelector<HTMLElement>('.jp-Rucat-toolbarButton')!;
    const { left, bottom } = button.getBoundingClientRect();
    menu.aboutToClose.connect(() => {
      this.setOpen(false);
      button.focus();
    });
    menu.open(left, bottom);
    this.setOpen(true);
  };

  private setOpen(isOpen: boolean): void {
    this.isOpen = isOpen;
    this.update();
  }

  private isOpen = false;
}

function ItemButton(props: { item: IItem; isOpen: boolean; open: () => void }): JSX.Element {
  const { item, isOpen, open } = props;
  const { symbol, name, word, title } = item;
  const press = (event: React.KeyboardEvent): void => {
    if (['Enter', ' ', 'ArrowDown'].includes(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      open();
    }
  };
  return (
    <button
      type="button"
      className="jp-Rucat-toolbarButton"
      aria-haspopup="menu"
      aria-expanded={isOpen}
      aria-label={title}
      title={title}
      onClick={open}
      onKeyDown={press}
    >
      {symbol ? (
        <span className="jp-Rucat-symbol">{symbol}</span>
      ) : (
        <engineIcon.react tag="span" className="jp-Rucat-toolbarIcon" elementSize="normal" />
      )}
      <span className="jp-Rucat-toolbarName">{name}</span>
      {word && <span>{word}</span>}
    </button>
  );
}
