/**
 * What the panel says where there is no list to trust: what is, why, and what to do.
 */
import * as React from 'react';

import type { Connection } from '../tokens';
import { CommandIDs } from '../tokens';
import { hour, plain } from '../words';
import { usePanel, useNow } from './context';

/** Nothing was read yet. */
export function Loading(): JSX.Element {
  const { trans } = usePanel();
  return (
    <p className="jp-Rucat-state" role="status">
      {trans.__('Reading the engines…')}
    </p>
  );
}

/** There are no engines, or none that the filter lets through. */
export function Empty({ filter, onClear }: { filter: string; onClear: () => void }): JSX.Element {
  const { run, trans } = usePanel();
  if (filter) {
    return (
      <div className="jp-Rucat-state" role="status">
        <p>{trans.__('No engine has “%1” in its name, status, place or profile.', filter)}</p>
        <Button onClick={onClear} label={trans.__('Show all')} />
      </div>
    );
  }
  return (
    <div className="jp-Rucat-state">
      <p>{trans.__('No engines yet. Create one, or type %rucat create in a notebook.')}</p>
      <Button isMain onClick={() => run(CommandIDs.create, {})} label={trans.__('Create engine')} />
    </div>
  );
}

/** Server or gateway do not answer. */
export function Offline(props: {
  connection: Extract<Connection, { kind: 'offline' }>;
  onRetry: () => void;
}): JSX.Element {
  const { trans } = usePanel();
  const { message, retryAt, since } = props.connection;
  const isGateway = /gateway/i.test(message);
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>
        {isGateway
          ? trans.__('The Rucat gateway does not answer since %1.', hour(since))
          : trans.__('The Jupyter server does not answer since %1.', hour(since))}{' '}
        <Countdown retryAt={retryAt} />
      </p>
      <Button onClick={props.onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <p>{plain(message, 400)}</p>
        {isGateway ? (
          <p>
            {trans.__(
              'In a terminal where Jupyter runs: “rucat serve --replace” starts another gateway;'
            )}{' '}
            {trans.__(
              '“%rucat doctor” in a notebook says what is wrong. Engines live on meanwhile.'
            )}
          </p>
        ) : (
          <p>
            {trans.__(
              'See whether the Jupyter server still runs and can be reached, and start it again.'
            )}{' '}
            {trans.__('Engines live on meanwhile, and the panel comes back by itself.')}
          </p>
        )}
      </WhatToDo>
    </div>
  );
}

/** The Jupyter server has no extension of ours. */
export function Missing({ onRetry }: { onRetry: () => void }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>{trans.__('This Jupyter server does not have Rucat’s server extension.')}</p>
      <Button onClick={onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <ol>
          <li>
            {trans.__(
              'Where the server runs, in a clone of Rucat (or with its wheel for the dot):'
            )}{' '}
            <code>pip install .</code>
          </li>
          <li>
            {trans.__('See that it is enabled:')} <code>jupyter server extension list</code>
          </li>
          <li>{trans.__('Restart the Jupyter server.')}</li>
        </ol>
      </WhatToDo>
    </div>
  );
}

/** The server says that this user may not. */
export function Forbidden(props: { message: string; onRetry: () => void }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>{trans.__('The server does not let you see engines: %1', plain(props.message, 300))}</p>
      <Button onClick={props.onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <p>
          {trans.__('Your login may have ended: reload the page and log in again.')}{' '}
          {trans.__('If that does not help, ask who runs this server for the resource “rucat”.')}
        </p>
      </WhatToDo>
    </div>
  );
}

function WhatToDo({ children }: { children: React.ReactNode }): JSX.Element {
  const { trans } = usePanel();
  const [isOpen, setOpen] = React.useState(false);
  return (
    <>
      <button className="jp-Rucat-button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {trans.__('What to do')}
      </button>
      {isOpen && <div className="jp-Rucat-help">{children}</div>}
    </>
  );
}

/** When it is tried again; not read out every second. */
function Countdown({ retryAt }: { retryAt: Date | null }): JSX.Element {
  const { trans } = usePanel();
  const now = useNow(true);
  const left = retryAt ? Math.ceil((retryAt.getTime() - now) / 1000) : 0;
  return (
    <span className="jp-Rucat-age" aria-hidden="true">
      {left > 0 ? trans.__('Trying again in %1 s.', left) : trans.__('Trying now…')}
    </span>
  );
}

function Button(props: { label: string; onClick: () => void; isMain?: boolean }): JSX.Element {
  return (
    <button
      className={'jp-Rucat-button' + (props.isMain ? ' jp-mod-accept' : '')}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}
