/**
 * Context of the components of the panel.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { Api } from '../api';
import { secondsSince } from '../words';
import type { Clock } from './clock';

/** Shared by all components; it does not change while the panel exists. */
export interface IPanelContext {
  api: Api;
  clock: Clock;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** Execute a command; does nothing if its plugin is not installed. */
  run: (command: string, args: ReadonlyJSONObject) => void;
  /** Open the menu of an engine at a position in the page. */
  openMenu: (id: string, x: number, y: number) => void;
}

const Context = React.createContext<IPanelContext | null>(null);

export const PanelProvider = Context.Provider;

/** The context of the panel. */
export function usePanel(): IPanelContext {
  const found = React.useContext(Context);
  if (!found) {
    throw new Error('usePanel() is called outside of the panel');
  }
  return found;
}

/** The current time, updated every second or every 30 s. */
export function useNow(isQuick: boolean): number {
  const { clock } = usePanel();
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    setNow(Date.now());
    return clock.subscribe(isQuick, () => setNow(Date.now()));
  }, [clock, isQuick]);
  return now;
}

/** The current time, updated every second in the first minute after `moment`, then every 30 s. */
export function useNowSince(moment: string | null): number {
  const isYoung = (secondsSince(moment, Date.now()) ?? Infinity) < 60;
  return useNow(isYoung);
}
