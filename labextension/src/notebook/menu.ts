/**
 * The engine menu of a notebook: its entries as data, and the Lumino menu.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import type { IEngine, Verb } from '../tokens';
import { CommandIDs } from '../tokens';
import { LIVE } from '../words';
import type { ILink } from './links';

/** Most engines in the menu; the panel shows all. */
const MOST = 15;
const ORDER = ['Running', 'Unresponsive', 'Pending', 'Stopping', 'Stopped', 'Failed', 'Deleting'];

/** An entry of the menu. */
export type Entry =
  | { kind: 'command'; command: string; args: ReadonlyJSONObject }
  | { kind: 'submenu'; label: string; entries: Entry[] }
  | { kind: 'separator' };

const SEPARATOR: Entry = { kind: 'separator' };

/** The menu entries of the notebook at `path`. */
export function entriesOf(
  link: Omit<ILink, 'attempt'>,
  engines: ReadonlyArray<IEngine>,
  path: string,
  trans: TranslationBundle
): Entry[] {
  const { engine } = link;
  const others = choices(engines, link, path);
  if (!engine) {
    const more = [command(CommandIDs.create), command(CommandIDs.openPanel)];
    return others.length > 0 ? [...others, SEPARATOR, ...more] : more;
  }
  const ref = { engine: engine.id };
  return [
    ...(others.length > 0
      ? [{ kind: 'submenu' as const, label: trans.__('Attach Another'), entries: others }]
      : []),
    ...(link.isBound ? [command(CommandIDs.detach, { path, name: engine.name })] : []),
    SEPARATOR,
    ...looks(engine).map(id => command(id, ref)),
    SEPARATOR,
    ...verbs(engine).map(id => command(id, ref)),
    SEPARATOR,
    command(CommandIDs.openPanel, ref),
    command(CommandIDs.create)
  ];
}

/** Create the menu; the caller opens it. */
export function menuOf(entries: ReadonlyArray<Entry>, commands: CommandRegistry): Menu {
  const menu = new Menu({ commands });
  menu.addClass('jp-Rucat-menu');
  for (const entry of entries) {
    if (entry.kind === 'submenu') {
      const submenu = menuOf(entry.entries, commands);
      submenu.title.label = entry.label;
      menu.addItem({ type: 'submenu', submenu });
    } else if (entry.kind === 'separator') {
      menu.addItem({ type: 'separator' });
    } else {
      menu.addItem({ type: 'command', command: entry.command, args: entry.args });
    }
  }
  return menu;
}

/** Engines that the notebook can attach to, the most likely ones first. */
function choices(
  engines: ReadonlyArray<IEngine>,
  { engine, kept }: Omit<ILink, 'attempt'>,
  path: string
): Entry[] {
  const place = (one: IEngine): number => (one.id === kept?.id ? -1 : ORDER.indexOf(one.status));
  const others = engines
    .filter(one => one.id !== engine?.id && one.status !== 'Deleting')
    .sort((one, other) => place(one) - place(other) || one.name.localeCompare(other.name));
  const shown = others
    .slice(0, MOST)
    .map(one => command(CommandIDs.attach, { engine: one.id, path, isMenu: true }));
  return others.length > MOST ? [...shown, command(CommandIDs.openPanel)] : shown;
}

function looks(engine: IEngine): string[] {
  const hasUi = LIVE.includes(engine.status) && Boolean(engine.endpoint?.ui_url);
  return [CommandIDs.logs, CommandIDs.history, ...(hasUi ? [CommandIDs.ui] : [])];
}

function verbs(engine: IEngine): string[] {
  const ids: [Verb, string][] = [
    ['restart', CommandIDs.restart],
    ['stop', CommandIDs.stop]
  ];
  return ids.filter(([verb]) => engine.verbs.includes(verb)).map(([, id]) => id);
}

function command(id: string, args: ReadonlyJSONObject = {}): Entry {
  return { kind: 'command', command: id, args };
}
