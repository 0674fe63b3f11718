/**
 * Actions on an engine as commands; the primary one is the remedy of a failure, or the most common action.
 */
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine } from '../tokens';
import { CommandIDs } from '../tokens';
import { LIVE, memory, moreMemory, plain, SETTLED } from '../words';

/** A command on an engine. */
export interface IAction {
  command: string;
  args: ReadonlyJSONObject;
  label: string;
  /** A longer text for tooltip and screen readers. */
  tip: string;
}

/** Failures where the user reads the log first: a restart alone fails again. */
const READ_FIRST = ['CrashOnStart', 'ConfigInvalid', 'StartTimeout'];

/** The button of a row; null if the user can only wait. */
export function primary(trans: TranslationBundle, engine: IEngine): IAction | null {
  return remedy(trans, engine) ?? usual(trans, engine);
}

/** The commands of an engine's menu, in groups. */
export function menu(engine: IEngine): { command: string; args: ReadonlyJSONObject }[][] {
  const args = { engine: engine.id };
  const more = moreMemory(engine);
  return [
    [
      { command: CommandIDs.attach, args },
      { command: CommandIDs.copy, args }
    ],
    [
      ...(more ? [{ command: CommandIDs.restart, args: { ...args, memory: more } }] : []),
      { command: CommandIDs.stop, args },
      { command: CommandIDs.restart, args },
      ...(engine.platform === 'local' || engine.platform === 'kubernetes'
        ? [{ command: CommandIDs.restart, args: { ...args, ask: true } }]
        : [])
    ],
    [CommandIDs.logs, CommandIDs.ui, CommandIDs.history].map(command => ({ command, args })),
    [{ command: CommandIDs.remove, args }]
  ];
}

function remedy(trans: TranslationBundle, engine: IEngine): IAction | null {
  const reason = engine.failure?.reason;
  const args = { engine: engine.id };
  const name = plain(engine.name);
  if (!reason || !engine.verbs.includes('restart')) {
    return null;
  }
  const more = moreMemory(engine);
  if (more) {
    return {
      command: CommandIDs.restart,
      args: { ...args, memory: more },
      label: trans.__('Restart with %1', memory(more)),
      tip: trans.__('Restart %1 with %2 of driver memory and save this setting', name, memory(more))
    };
  }
  if (reason === 'NoMemory') {
    return {
      command: CommandIDs.restart,
      args: { ...args, ask: true },
      label: trans.__('Change memory…'),
      tip: trans.__('Restart %1 with a different driver memory', name)
    };
  }
  if (READ_FIRST.includes(reason)) {
    const tip = trans.__('Show the last log lines of %1', name);
    return { command: CommandIDs.logs, args, label: trans.__('Logs'), tip };
  }
  return null;
}

function usual(trans: TranslationBundle, engine: IEngine): IAction | null {
  const args = { engine: engine.id };
  const name = plain(engine.name);
  if (LIVE.includes(engine.status)) {
    const tip = trans.__('Attach the current notebook to %1', name);
    return { command: CommandIDs.attach, args, label: trans.__('Attach'), tip };
  }
  if (engine.status === 'Pending' && engine.verbs.includes('stop')) {
    const tip = trans.__('Stop %1; Rucat keeps its record and settings', name);
    return { command: CommandIDs.stop, args, label: trans.__('Stop'), tip };
  }
  if (SETTLED.includes(engine.status) && engine.verbs.includes('restart')) {
    const tip = trans.__('Start %1 with its stored settings', name);
    return { command: CommandIDs.restart, args, label: trans.__('Start'), tip };
  }
  return null;
}
