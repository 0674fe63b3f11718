/**
 * What the parts of the panel have in common.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { Api } from '../api';
import { secondsSince } from '../words';
import type { Clock } from './clock';

/** Given to all parts, and the same for the panel's life. */
export interface IPanelContext {
  api: Api;
  clock: Clock;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** Execute a command; those of parts that are not installed do nothing. */
  run: (command: string, args: ReadonlyJSONObject) => void;
  /** Show the menu of an engine at a place of the page. */
  openMenu: (id: string, x: number, y: number) => void;
}

const Context = React.createContext<IPanelContext | null>(null);

export const PanelProvider = Context.Provider;

/** What the parts have in common. */
export function usePanel(): IPanelContext {
  const found = React.useContext(Context);
  if (!found) {
    throw new Error('outside of the panel');
  }
  return found;
}

/** Now, renewed every second or every half minute. */
export function useNow(isQuick: boolean): number {
  const { clock } = usePanel();
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    setNow(Date.now());
    return clock.subscribe(isQuick, () => setNow(Date.now()));
  }, [clock, isQuick]);
  return now;
}

/** Now, renewed every second as long as less than a minute has passed since that moment. */
export function useNowSince(moment: string | null): number {
  const isYoung = (secondsSince(moment, Date.now()) ?? Infinity) < 60;
  return useNow(isYoung);
}
