/**
 * Small components: symbol, name, age, buttons.
 */
import * as React from 'react';

import type { IEngine } from '../tokens';
import { age, plain, since, symbol } from '../words';
import type { IAction } from './actions';
import { usePanel, useNowSince } from './context';

/** The symbol of a status; the word is next to it. */
export function Shape({ engine }: { engine: IEngine }): JSX.Element {
  return (
    <span className="jp-Rucat-shape" data-status={engine.status} aria-hidden="true">
      {symbol(engine)}
    </span>
  );
}

/** A name with its own text direction. */
export function Name({ engine }: { engine: IEngine }): JSX.Element {
  const name = plain(engine.name);
  return (
    <bdi className="jp-Rucat-name" title={name}>
      {name}
    </bdi>
  );
}

/** How long an engine has been in its state. */
export function Age({ engine }: { engine: IEngine }): JSX.Element {
  const now = useNowSince(since(engine));
  return <span className="jp-Rucat-age">{age(engine, now)}</span>;
}

/** A button for a command on an engine. */
export function ActionButton(props: { action: IAction; tabIndex?: number }): JSX.Element {
  const { run } = usePanel();
  const { args, command, label, tip } = props.action;
  return (
    <button
      className="jp-Rucat-button"
      title={tip}
      tabIndex={props.tabIndex}
      onClick={() => run(command, args)}
    >
      {label}
    </button>
  );
}

/** The button that opens an engine's menu. */
export function MoreButton(props: { engine: IEngine; tabIndex?: number }): JSX.Element {
  const { openMenu, trans } = usePanel();
  return (
    <button
      className="jp-Rucat-more"
      aria-haspopup="menu"
      aria-label={trans.__('More about %1', plain(props.engine.name))}
      title={trans.__('More')}
      tabIndex={props.tabIndex}
      onClick={event => {
        const { bottom, left } = event.currentTarget.getBoundingClientRect();
        openMenu(props.engine.id, left, bottom);
      }}
    >
      ⋯
    </button>
  );
}
