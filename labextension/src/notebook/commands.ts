/**
 * The commands attach and detach with their arguments, for menus, palette, shortcuts and other extensions.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { chooseEngine } from '../choose';
import { report } from '../report';
import type { IEngine, IEngineManager } from '../tokens';
import { CommandIDs } from '../tokens';
import { plain } from '../words';
import type { Attacher } from './attach';
import type { Links } from './links';
import { lineOf } from './words';

/** Dependencies of the commands. */
export interface IParts {
  commands: CommandRegistry;
  manager: IEngineManager;
  links: Links;
  attacher: Attacher;
  trans: TranslationBundle;
}

/** Register the commands. */
export function addCommands(parts: IParts): void {
  const { commands, attacher, links, trans } = parts;
  commands.addCommand(CommandIDs.attach, {
    label: args => attachLabel(parts, args),
    caption: trans.__('Attach the notebook to this engine by running its attach cell'),
    describedBy: { args: attachArguments(trans) },
    execute: args =>
      reported(trans, trans.__('Attach'), async () => {
        const engine = await engineFor(parts, text(args['engine']));
        if (engine !== undefined) {
          await attacher.attach(engine, {
            path: text(args['path']),
            insertOnly: args['insertOnly'] === true
          });
        }
      })
  });
  commands.addCommand(CommandIDs.detach, {
    label: args => {
      const name = text(args['name']);
      return name
        ? trans.__('Detach from %1', plain(name))
        : trans.__('Detach Notebook from Its Engine');
    },
    caption: trans.__('Delete the variable spark in the kernel; engine and session keep running'),
    isEnabled: args => typeof args['path'] === 'string' || links.engine !== undefined,
    describedBy: { args: detachArguments(trans) },
    execute: args =>
      reported(trans, trans.__('Detach'), () => attacher.detach({ path: text(args['path']) }))
  });
}

function attachLabel({ manager, trans }: IParts, args: ReadonlyPartialJSONObject): string {
  const ref = text(args['engine']);
  const engine = ref === undefined ? undefined : manager.find(ref);
  if (engine && args['isMenu']) {
    return lineOf(engine, trans);
  }
  if (ref === undefined) {
    return args['insertOnly'] ? trans.__('Insert an Attach Cell…') : trans.__('Attach an Engine…');
  }
  return args['insertOnly'] ? trans.__('Insert Attach Cell') : trans.__('Attach to Notebook');
}

/** The named or chosen engine; undefined: none. If there is no engine, open the create dialog. */
async function engineFor(
  { manager, commands, links, trans }: IParts,
  ref: string | undefined
): Promise<string | undefined> {
  if (ref !== undefined) {
    return ref;
  }
  await manager.refresh();
  const isThere = (engine: IEngine): boolean => engine.status !== 'Deleting';
  if (!manager.engines.some(isThere)) {
    await commands.execute(CommandIDs.create);
    return undefined;
  }
  const chooser = { manager, front: links, trans };
  return (await chooseEngine(chooser, undefined, trans.__('Attach an engine'), isThere))?.id;
}

/** Run `act`, and show its error. */
async function reported(
  trans: TranslationBundle,
  asked: string,
  act: () => Promise<void>
): Promise<void> {
  try {
    await act();
  } catch (error) {
    report(trans, asked, error);
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined;
}

function attachArguments(trans: TranslationBundle): ReadonlyJSONObject {
  return {
    type: 'object',
    properties: {
      engine: {
        type: 'string',
        description: trans.__('Id or name of the engine; if missing, the user chooses one')
      },
      path: notebookArgument(trans),
      insertOnly: {
        type: 'boolean',
        description: trans.__('Insert the cell without running it'),
        default: false
      }
    }
  };
}

function detachArguments(trans: TranslationBundle): ReadonlyJSONObject {
  return { type: 'object', properties: { path: notebookArgument(trans) } };
}

function notebookArgument(trans: TranslationBundle): ReadonlyJSONObject {
  return {
    type: 'string',
    description: trans.__(
      'Path of the notebook relative to the root of the server; default: the current notebook'
    )
  };
}
