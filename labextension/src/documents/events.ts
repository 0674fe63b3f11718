/**
 * What happened to an engine, in words: the lines of its history as a timeline tells them.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, IEvent } from '../tokens';
import { plain, SYMBOLS } from '../words';
import { hintOf } from './hints';

/** Who wrote what nobody asked for (rucat_jupyter/monitor/records.py). */
const MONITOR = 'monitor';
const LONGEST_WHY = 1000;

/** One entry of the timeline; everything is text. */
export interface IEntry {
  key: string;
  time: string;
  /** The time in full, for machines and titles. */
  at: string;
  symbol: string;
  what: string;
  /** The life it belongs to: a restart is asked for before the life before has ended. */
  run: number;
  /** Why, in the words of whoever said it; empty where nobody did. */
  why: string;
  hint: string;
  by: string;
  isAlert: boolean;
}

/** The entries of one day. */
export interface IDay {
  day: string;
  entries: IEntry[];
}

/** A history, oldest first, as days, the newest first. */
export function timeline(
  trans: TranslationBundle,
  events: ReadonlyArray<IEvent>,
  engine: IEngine | undefined
): IDay[] {
  const days: IDay[] = [];
  for (const [index, event] of [...events.entries()].reverse()) {
    const day = dayOf(trans, event.at);
    if (days[days.length - 1]?.day !== day) {
      days.push({ day, entries: [] });
    }
    days[days.length - 1].entries.push(entry(trans, event, index, engine));
  }
  return days;
}

function entry(
  trans: TranslationBundle,
  event: IEvent,
  index: number,
  engine: IEngine | undefined
): IEntry {
  const isFailure = event.kind === 'failed' || event.kind === 'condemned';
  return {
    key: `${event.revision}-${index}`,
    time: event.at ? new Date(event.at).toTimeString().slice(0, 8) : '',
    at: event.at ?? '',
    symbol: SYMBOLS[event.status as keyof typeof SYMBOLS] ?? '·',
    what: what(trans, event),
    run: event.run,
    why: why(event),
    hint: isFailure ? hint(trans, event, engine) : '',
    by: event.actor === MONITOR ? '' : plain(event.actor, 80),
    isAlert: isFailure || event.kind === 'unresponsive'
  };
}

/** What happened; a kind that is not known yet is told as it is called. */
function what(trans: TranslationBundle, { kind, run, status }: IEvent): string {
  const words: { [kind: string]: string } = {
    create: trans.__('Created'),
    starting: trans.__('Run %1 starts', run),
    running: trans.__('Running: it answers'),
    unresponsive: trans.__('It does not answer'),
    'answers again': trans.__('It answers again'),
    condemned: trans.__('Given up, and being ended'),
    failed: trans.__('Failed'),
    stopped: trans.__('Stopped'),
    stop: trans.__('Stop asked for'),
    restart: trans.__('Restart asked for'),
    delete: trans.__('Delete asked for'),
    forget: trans.__('Forgotten, without its platform'),
    deleted: trans.__('Deleted')
  };
  return words[kind] ?? [plain(kind, 80), plain(status, 20)].filter(Boolean).join(': ');
}

/** Why, where it says more than what happened. */
function why({ kind, reason }: IEvent): string {
  return kind === 'starting' || reason === kind ? '' : plain(reason, LONGEST_WHY);
}

/** What to do about a failure: as the engine says of its last one, else as its reason has it. */
function hint(trans: TranslationBundle, event: IEvent, engine: IEngine | undefined): string {
  const reason = event.reason.split(':', 1)[0];
  const own = engine?.failure;
  return own && own.reason === reason && event.run === engine.run
    ? plain(own.hint, LONGEST_WHY)
    : hintOf(trans, reason);
}

function dayOf(trans: TranslationBundle, at: string | null): string {
  return at
    ? new Date(at).toLocaleDateString(locale(), {
        weekday: 'long',
        year: 'numeric',
        month: 'long',
        day: 'numeric'
      })
    : trans.__('No time is known');
}

function locale(): string | undefined {
  return document.documentElement.lang || undefined;
}
