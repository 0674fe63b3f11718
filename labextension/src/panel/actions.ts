/**
 * What can be done with an engine now, as commands: the first is what most people want, or the remedy.
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
  /** The longer label: for screen readers and as a tip. */
  tip: string;
}

/** Reasons whose remedy begins with the last log lines: starting again as it is fails again. */
const READ_FIRST = ['CrashOnStart', 'ConfigInvalid', 'StartTimeout'];

/** The one button of a row; null where nothing helps but waiting. */
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
      tip: trans.__('Restart %1 with %2 of driver memory; it keeps that', name, memory(more))
    };
  }
  if (reason === 'NoMemory') {
    return {
      command: CommandIDs.restart,
      args: { ...args, ask: true },
      label: trans.__('Other memory…'),
      tip: trans.__('Restart %1 with another driver memory', name)
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
    const tip = trans.__('Attach the notebook in front to %1', name);
    return { command: CommandIDs.attach, args, label: trans.__('Attach'), tip };
  }
  if (engine.status === 'Pending' && engine.verbs.includes('stop')) {
    const tip = trans.__('Stop %1; its record and settings stay', name);
    return { command: CommandIDs.stop, args, label: trans.__('Stop'), tip };
  }
  if (SETTLED.includes(engine.status) && engine.verbs.includes('restart')) {
    const tip = trans.__('Start %1 with its stored settings', name);
    return { command: CommandIDs.restart, args, label: trans.__('Start'), tip };
  }
  return null;
}
