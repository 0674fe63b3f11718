/**
 * Commands on engines: stop, restart, delete, copy, refresh. Attach, create, logs and others are in their own folders.
 */
import { Clipboard, Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IChooser } from './choose';
import { chooseEngine } from './choose';
import { report } from './report';
import type { IEngine, Verb } from './tokens';
import { CommandIDs } from './tokens';
import { attachLine, memory, plain, SETTLED } from './words';

type Args = ReadonlyPartialJSONObject;

const ENGINE = {
  type: 'string',
  description: 'Id or name of the engine; if missing, the user chooses one'
} as const;

/** Describe the arguments of a command: the engine, and those in `more`. */
function described(more: ReadonlyPartialJSONObject = {}) {
  return { args: { type: 'object', properties: { engine: ENGINE, ...more } } } as const;
}

/** Add the commands to a registry. */
export function addCommands(commands: CommandRegistry, chooser: IChooser): void {
  addStop(commands, chooser);
  addRestart(commands, chooser);
  addRemove(commands, chooser);
  addCopy(commands, chooser);
  addRefresh(commands, chooser);
}

function addStop(commands: CommandRegistry, chooser: IChooser): void {
  const { manager, trans } = chooser;
  commands.addCommand(CommandIDs.stop, {
    label: args => (args.engine ? trans.__('Stop') : trans.__('Stop an Engine…')),
    caption: trans.__('Stop an engine; Rucat keeps its record, settings and last log lines'),
    describedBy: described(),
    isEnabled: args => canDo(chooser, args, 'stop'),
    isVisible: args => canDo(chooser, args, 'stop'),
    execute: args =>
      withEngine(chooser, args, trans.__('Stop'), can('stop'), engine => manager.stop(engine.id))
  });
}

function addRestart(commands: CommandRegistry, chooser: IChooser): void {
  const { manager, trans } = chooser;
  commands.addCommand(CommandIDs.restart, {
    label: args => restartLabel(chooser, args),
    caption: trans.__('Stop an engine if it runs, then start it with its stored settings'),
    describedBy: described({
      memory: { type: 'string', description: 'New driver memory in Spark notation, such as 4g' },
      ask: { type: 'boolean', description: 'Ask for the driver memory first' }
    }),
    isEnabled: args => canDo(chooser, args, 'restart'),
    isVisible: args => canDo(chooser, args, 'restart'),
    execute: args =>
      withEngine(chooser, args, trans.__('Restart'), can('restart'), async engine => {
        const size = args.ask ? await askMemory(chooser, engine) : args.memory;
        if (size === null) {
          return null;
        }
        const changes = size ? { driver: { memory: size } } : undefined;
        return manager.restart(engine.id, changes);
      })
  });
}

function restartLabel({ manager, trans }: IChooser, args: Args): string {
  if (!args.engine) {
    return trans.__('Start or Restart an Engine…');
  }
  if (args.ask) {
    return trans.__('Restart with Different Memory…');
  }
  if (args.memory) {
    return trans.__('Restart with %1', memory(String(args.memory)));
  }
  const engine = manager.find(String(args.engine));
  return engine && SETTLED.includes(engine.status) ? trans.__('Start') : trans.__('Restart');
}

/** Ask for the driver memory; null when the user cancels. */
async function askMemory({ trans }: IChooser, engine: IEngine): Promise<string | null> {
  const { value } = await InputDialog.getText({
    title: trans.__('Restart %1 with different memory', plain(engine.name)),
    label: trans.__('Driver memory, such as 512m or 4g; saved in the settings of the engine'),
    text: engine.spec.driver?.memory ?? '2g',
    pattern: '\\d+[kmgtKMGT]',
    okLabel: trans.__('Restart')
  });
  return value?.trim().toLowerCase() || null;
}

function addRemove(commands: CommandRegistry, chooser: IChooser): void {
  const { manager, trans } = chooser;
  commands.addCommand(CommandIDs.remove, {
    label: args => (args.engine ? trans.__('Delete…') : trans.__('Delete an Engine…')),
    caption: trans.__('Stop an engine and delete its record, after a confirmation'),
    describedBy: described({
      confirmed: { type: 'boolean', description: 'Delete without a confirmation' }
    }),
    isEnabled: args => canDo(chooser, args, 'delete'),
    isVisible: args => canDo(chooser, args, 'delete'),
    execute: args =>
      withEngine(chooser, args, trans.__('Delete'), can('delete'), async engine =>
        args.confirmed || (await confirmDelete(chooser, engine)) ? manager.delete(engine.id) : null
      )
  });
}

/** Ask the user to confirm the delete; the dialog names the engine. */
async function confirmDelete({ trans }: IChooser, engine: IEngine): Promise<boolean> {
  const name = plain(engine.name);
  const body =
    engine.platform === 'external'
      ? trans.__('Rucat only removes it from its list. The Spark server itself keeps running.')
      : trans.__(
          'This deletes its record, settings and last log lines. Its history stays for 30 days.'
        );
  const { button } = await showDialog({
    title: trans.__('Delete %1?', name),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep It') }),
      Dialog.warnButton({ label: trans.__('Delete %1', plain(engine.name, 40)) })
    ],
    defaultButton: 0
  });
  return button.accept;
}

function addCopy(commands: CommandRegistry, chooser: IChooser): void {
  const { trans } = chooser;
  commands.addCommand(CommandIDs.copy, {
    label: args => (args.engine ? trans.__('Copy Attach Line') : trans.__('Copy an Attach Line…')),
    caption: trans.__('Copy the line that attaches a notebook to an engine'),
    describedBy: described(),
    execute: args =>
      withEngine(
        chooser,
        args,
        trans.__('Copy'),
        () => true,
        engine => {
          Clipboard.copyToSystem(attachLine(engine));
          Notification.info(trans.__('Copied: %1', attachLine(engine)), { autoClose: 3000 });
          return Promise.resolve(engine);
        }
      )
  });
}

function addRefresh(commands: CommandRegistry, { manager, trans }: IChooser): void {
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh the List of Engines'),
    caption: trans.__('Fetch all engines from the gateway now'),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => manager.refresh()
  });
}

// --- helpers ----------------------------------------------------------------------------------------------

/** Act on the engine that `ref` names or the user chooses; report errors. */
async function withEngine(
  chooser: IChooser,
  { engine: ref }: Args,
  word: string,
  fits: (engine: IEngine) => boolean,
  act: (engine: IEngine) => Promise<IEngine | null>
): Promise<void> {
  const { trans } = chooser;
  const engine = await chooseEngine(chooser, ref, trans.__('%1 which engine?', word), fits);
  if (!engine) {
    if (ref) {
      report(trans, word, trans.__('engine %1 no longer exists', plain(ref)));
    }
    return;
  }
  try {
    await act(engine);
  } catch (error) {
    report(trans, `${word} ${plain(engine.name)}`, error);
  }
}

function can(verb: Verb): (engine: IEngine) => boolean {
  return engine => engine.verbs.includes(verb);
}

/** Whether the named engine accepts the verb; without a name: whether any engine does. */
function canDo({ manager }: IChooser, { engine }: Args, verb: Verb): boolean {
  if (engine) {
    return !!manager.find(String(engine))?.verbs.includes(verb);
  }
  return manager.engines.some(can(verb));
}
