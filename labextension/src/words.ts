/**
 * Texts about engines, with the same wording as in notebooks and terminals
 * (rucat_jupyter/client/words/text.py and notebook/cards/words.py).
 *
 * Pure functions: the current time is a parameter. Text from outside passes `plain` and is shown in text nodes only.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, IOperation, ISession, Status } from './tokens';

/** Symbols of the statuses; each is shown with its word. */
export const SYMBOLS: Readonly<Record<Status, string>> = {
  Pending: '◌',
  Running: '●',
  Unresponsive: '◐',
  Stopping: '◌',
  Stopped: '○',
  Failed: '✕',
  Deleting: '◌'
};

/** Statuses of engines that have sessions. */
export const LIVE: ReadonlyArray<string> = ['Running', 'Unresponsive'];
/** Statuses that change without a user action. */
export const MOVING: ReadonlyArray<string> = ['Pending', 'Stopping', 'Deleting'];
/** Statuses that only a user action changes. */
export const SETTLED: ReadonlyArray<string> = ['Stopped', 'Failed'];
/** Statuses that need attention. */
export const ALERTS: ReadonlyArray<string> = ['Failed', 'Unresponsive'];

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const MEGABYTES: Readonly<Record<string, number>> = { k: 1 / 1024, m: 1, g: 1024, t: 1024 * 1024 };
const [ESC, BEL] = ['\\x1b', '\\x07'];
/** Terminal escape sequences: colours, titles, links. */
const ESCAPES = new RegExp(
  `${ESC}(\\[[0-?]*[ -/]*[@-~]|\\][^${BEL}${ESC}]*(${BEL}|${ESC}\\\\)?|[@-_])`,
  'g'
);
/** C0 and C1 control characters, and those that change the direction of text. */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

// --- formatting -------------------------------------------------------------------------------------------

/** The text without terminal escapes and control characters, on one line, cut if it is too long. */
export function plain(text: unknown, longest?: number): string {
  const clean = String(text ?? '')
    .replace(ESCAPES, '')
    .replace(CONTROLS, c => (c === '\t' || c === '\n' || c === '\r' ? ' ' : '\ufffd'));
  if (longest === undefined || clean.length <= longest) {
    return clean;
  }
  const chars = Array.from(clean); // never cut within a character
  return chars.length <= longest ? clean : chars.slice(0, longest - 1).join('') + '…';
}

/** A duration in its largest unit: `12 s`, `11 min`, `2 h`, `3 d`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.trunc(seconds));
  if (whole >= DAY) {
    return `${Math.trunc(whole / DAY)} d`;
  }
  if (whole >= HOUR) {
    return `${Math.trunc(whole / HOUR)} h`;
  }
  return whole >= MINUTE ? `${Math.trunc(whole / MINUTE)} min` : `${whole} s`;
}

/** A duration in two units: `2 h 11 min`, `12 s`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.trunc(seconds));
  if (whole < HOUR) {
    return duration(whole);
  }
  const [size, unit, smaller, small] =
    whole >= DAY ? [DAY, 'd', HOUR, 'h'] : [HOUR, 'h', MINUTE, 'min'];
  const rest = Math.trunc((whole % +size) / +smaller);
  return `${Math.trunc(whole / +size)} ${unit}` + (rest ? ` ${rest} ${small}` : '');
}

/** Seconds since a timestamp of REST; null without one. */
export function secondsSince(moment: string | null | undefined, now: number): number | null {
  return moment ? (now - Date.parse(moment)) / 1000 : null;
}

/** A timestamp in local time: `14:03:11`, with the date if it is not today. */
export function clock(moment: string | Date | null | undefined, now = Date.now()): string {
  if (!moment) {
    return '';
  }
  const date = new Date(moment);
  const time = date.toTimeString().slice(0, 8);
  return date.toDateString() === new Date(now).toDateString() ? time : `${day(date)} ${time}`;
}

/** A time in local time, without seconds. */
export function hour(moment: Date): string {
  return moment.toTimeString().slice(0, 5);
}

/** Spark's `4g` as `4 GB`, `2048m` as `2 GB`. */
export function memory(text: string | null | undefined): string {
  return text ? size(megabytes(text)) : '';
}

/** Spark's `4g` in megabytes; 0 without a number. */
export function megabytes(text: string | null | undefined): number {
  const found = /^(\d+(?:\.\d+)?)\s*([kmgt])/i.exec(text ?? '');
  return found ? Number(found[1]) * MEGABYTES[found[2].toLowerCase()] : 0;
}

/** `1 core`, `2 cores`. */
export function cores(trans: TranslationBundle, number: number): string {
  return trans._n('%1 core', '%1 cores', number);
}

/** A name quoted for a command line, as Python's shlex.quote does. */
export function quoted(name: string): string {
  const clean = plain(name);
  return /^[\w@%+=:,./-]+$/.test(clean) ? clean : `'${clean.replace(/'/g, `'"'"'`)}'`;
}

/** The line that attaches a notebook to the engine. */
export function attachLine(engine: IEngine): string {
  return `%rucat attach ${quoted(engine.name)}`;
}

// --- parts of an engine -----------------------------------------------------------------------------------

/** The symbol of a status. */
export function symbol(engine: IEngine): string {
  return SYMBOLS[engine.status] ?? '?';
}

/** Where an engine runs, in short. */
export function where(trans: TranslationBundle, engine: IEngine): string {
  if (engine.platform === 'local') {
    return trans.__('this machine');
  }
  if (engine.platform === 'external') {
    const url = engine.endpoint?.url ?? engine.spec.external?.url ?? 'external';
    return plain(url.replace(/^sc:\/\//, '').split('/')[0]);
  }
  const namespace = engine.spec[engine.platform]?.namespace;
  return plain(namespace ? `${engine.platform}/${namespace}` : engine.platform);
}

/** Resources of the driver: `driver 1 core 1 GB`; empty if unknown. */
export function driver(trans: TranslationBundle, engine: IEngine): string {
  const found = engine.spec.driver ?? {};
  const parts = [found.cores ? cores(trans, found.cores) : '', memory(found.memory)].filter(
    Boolean
  );
  return parts.length ? trans.__('driver %1', parts.join(' ')) : '';
}

/** Running and wanted executors: `executors 2 of 2 × 1 core 1 GB`; empty without executors. */
export function executors(trans: TranslationBundle, engine: IEngine): string {
  const { running, wanted } = engine.executors;
  return wanted ? trans.__('executors %1 of %2 × %3', running, wanted, each(trans, engine)) : '';
}

/** Missing executors and why: `1 pending, 1 failed: …`; empty if all run. */
export function missingExecutors(trans: TranslationBundle, engine: IEngine): string {
  const { pending, failed, reasons } = engine.executors;
  const counts = [
    pending ? trans.__('%1 pending', pending) : '',
    failed ? trans.__('%1 failed', failed) : ''
  ];
  return [counts.filter(Boolean).join(', '), reasons.map(r => plain(r)).join('; ')]
    .filter(Boolean)
    .join(': ');
}

/** All resources: `driver 1 core 1 GB, 2 executors × 1 core 1 GB`. */
export function resources(trans: TranslationBundle, engine: IEngine): string {
  const found = engine.spec.executors ?? {};
  const number = found.max ? `${found.min ?? 0}-${found.max}` : String(found.instances || '');
  const word = number === '1' ? trans.__('executor') : trans.__('executors');
  const asked = number ? `${number} ${word} × ${each(trans, engine)}` : '';
  return [driver(trans, engine), asked].filter(Boolean).join(', ');
}

/** Start of the current state, as RFC 3339. */
export function since(engine: IEngine): string {
  const moment = SETTLED.includes(engine.status) ? engine.stopped_at : engine.started_at;
  return moment ?? engine.created_at;
}

/** Time in the current state. */
export function age(engine: IEngine, now: number): string {
  return duration(secondsSince(since(engine), now) ?? 0);
}

/** The sessions that living processes hold; the others wait for their notebooks. */
export function attached(engine: IEngine): ISession[] {
  return engine.sessions.filter(session => session.is_attached !== false);
}

/** The most important note for a list: failure, progress, missing executors, or notebooks. */
export function note(trans: TranslationBundle, engine: IEngine): string {
  if (engine.failure) {
    return `${plain(engine.failure.reason)}: ${plain(engine.failure.message)}`;
  }
  if (engine.message) {
    return plain(engine.message);
  }
  const { running, wanted } = engine.executors;
  const isLive = LIVE.includes(engine.status);
  const missing = running < wanted && isLive ? missingExecutors(trans, engine) : '';
  if (missing) {
    return `${trans.__('executors %1 of %2', running, wanted)}: ${missing}`;
  }
  const sessions = attached(engine).length;
  return sessions && isLive ? trans._n('%1 notebook', '%1 notebooks', sessions) : '';
}

/** Time until the idle stop: `idle stop in 56 min`; empty if it has none. */
export function idleStop(trans: TranslationBundle, engine: IEngine, now: number): string {
  const idle = engine.spec.idle_timeout_s;
  const used = secondsSince(engine.last_used_at ?? engine.started_at, now);
  if (!idle || used === null || engine.status !== 'Running' || engine.platform === 'external') {
    return '';
  }
  const left = idle - used;
  return left > 0 ? trans.__('idle stop in %1', minutes(left)) : trans.__('idle stop now');
}

/** Time until the maximum lifetime ends: `ends in 11 h 58 min`; empty without a limit. */
export function lifetimeEnd(trans: TranslationBundle, engine: IEngine, now: number): string {
  const most = engine.spec.max_lifetime_s;
  const lived = secondsSince(engine.started_at, now);
  if (!most || lived === null || !LIVE.includes(engine.status)) {
    return '';
  }
  return trans.__('ends in %1, at its longest lifetime', minutes(most - lived));
}

/** Twice the driver memory, if the engine failed because of too little memory. */
export function moreMemory(engine: IEngine): string | null {
  const has = megabytes(engine.spec.driver?.memory);
  if (engine.failure?.reason !== 'OutOfMemory' || !has) {
    return null;
  }
  return has % 512 === 0 ? `${has / 512}g` : `${2 * has}m`;
}

// --- operations -------------------------------------------------------------------------------------------

/** Where an operation comes from: `etl.ipynb, cell 7`. */
export function origin(trans: TranslationBundle, operation: IOperation): string {
  const notebook = plain(operation.notebook.split('/').pop(), 60);
  const cell = operation.cell === null ? '' : trans.__('cell %1', operation.cell);
  return [notebook, cell].filter(Boolean).join(', ') || trans.__('someone');
}

/** Progress in percent of the tasks; null if unknown. */
export function percent({ tasks, tasks_done }: IOperation): number | null {
  return tasks ? Math.min(100, Math.trunc((100 * (tasks_done ?? 0)) / tasks)) : null;
}

/** How long it has run: `0:14`. */
export function elapsed(moment: string | null, now: number): string {
  const whole = Math.max(0, Math.trunc(secondsSince(moment, now) ?? 0));
  return moment ? `${Math.trunc(whole / 60)}:${String(whole % 60).padStart(2, '0')}` : '';
}

// --- helpers ----------------------------------------------------------------------------------------------

/** Megabytes in the largest unit in which they are a whole number. */
function size(amount: number): string {
  return amount >= 1024 && amount % 1024 === 0 ? `${amount / 1024} GB` : `${+amount.toFixed(1)} MB`;
}

function each(trans: TranslationBundle, engine: IEngine): string {
  const found = engine.spec.executors ?? {};
  return [cores(trans, found.cores || 1), memory(found.memory)].filter(Boolean).join(' ');
}

/** A duration in whole minutes from one minute on, so that the text does not change every second. */
function minutes(seconds: number): string {
  return span(seconds < MINUTE ? seconds : Math.trunc(seconds / MINUTE) * MINUTE);
}

function day(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
