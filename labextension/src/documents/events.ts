/**
 * Converts the history of an engine to the entries of a timeline.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine, IEvent } from '../tokens';
import { plain, SYMBOLS } from '../words';
import { hintOf } from './hints';

/** Actor of automatic changes (rucat_jupyter/gateway/monitor/records.py). */
const MONITOR = 'monitor';
const LONGEST_WHY = 1000;

/** One entry of the timeline; everything is text. */
export interface IEntry {
  key: string;
  time: string;
  /** Full timestamp, for the `datetime` attribute and the tooltip. */
  at: string;
  symbol: string;
  what: string;
  /** Number of the run: a restart is requested before the previous run ends. */
  run: number;
  /** The recorded reason; empty without one. */
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

/** Group a history (oldest first) by day, newest first. */
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

/** Text of an event; an unknown kind is shown by its name. */
function what(trans: TranslationBundle, { kind, run, status }: IEvent): string {
  const words: { [kind: string]: string } = {
    create: trans.__('Created'),
    starting: trans.__('Run %1 starts', run),
    running: trans.__('Running: the engine responds'),
    unresponsive: trans.__('The engine does not respond'),
    'answers again': trans.__('The engine responds again'),
    condemned: trans.__('Marked as failed; Rucat shuts it down'),
    failed: trans.__('Failed'),
    stopped: trans.__('Stopped'),
    stop: trans.__('Stop requested'),
    restart: trans.__('Restart requested'),
    delete: trans.__('Delete requested'),
    forget: trans.__('Record deleted without asking the platform'),
    deleted: trans.__('Deleted')
  };
  return words[kind] ?? [plain(kind, 80), plain(status, 20)].filter(Boolean).join(': ');
}

/** Reason of an event, if it adds something to the kind. */
function why({ kind, reason }: IEvent): string {
  return kind === 'starting' || reason === kind ? '' : plain(reason, LONGEST_WHY);
}

/** Hint for a failure: from the engine for its latest failure, else by reason. */
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
    : trans.__('Unknown date');
}

function locale(): string | undefined {
  return document.documentElement.lang || undefined;
}
