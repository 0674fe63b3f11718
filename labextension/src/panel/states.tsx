/**
 * Messages of the panel without a current list: state, cause, and what to do.
 */
import * as React from 'react';

import type { Connection } from '../tokens';
import { CommandIDs } from '../tokens';
import { hour, plain } from '../words';
import { usePanel, useNow } from './context';

/** The first read is in progress. */
export function Loading(): JSX.Element {
  const { trans } = usePanel();
  return (
    <p className="jp-Rucat-state" role="status">
      {trans.__('Loading engines…')}
    </p>
  );
}

/** There are no engines, or none that match the filter. */
export function Empty({ filter, onClear }: { filter: string; onClear: () => void }): JSX.Element {
  const { run, trans } = usePanel();
  if (filter) {
    return (
      <div className="jp-Rucat-state" role="status">
        <p>{trans.__('No engine matches “%1” in name, status, place or profile.', filter)}</p>
        <Button onClick={onClear} label={trans.__('Show all')} />
      </div>
    );
  }
  return (
    <div className="jp-Rucat-state">
      <p>{trans.__('No engines yet. Create one, or run %rucat create in a notebook.')}</p>
      <Button isMain onClick={() => run(CommandIDs.create, {})} label={trans.__('Create engine')} />
    </div>
  );
}

/** Server or gateway does not respond. */
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
          ? trans.__('The Rucat gateway has not responded since %1.', hour(since))
          : trans.__('The Jupyter server has not responded since %1.', hour(since))}{' '}
        <Countdown retryAt={retryAt} />
      </p>
      <Button onClick={props.onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <p>{plain(message, 400)}</p>
        {isGateway ? (
          <p>
            {trans.__(
              'Run “rucat serve --replace” in a terminal on the Jupyter machine to start a new gateway.'
            )}{' '}
            {trans.__(
              'Run “%rucat doctor” in a notebook to find the cause. Your engines keep running.'
            )}
          </p>
        ) : (
          <p>
            {trans.__(
              'Check that the Jupyter server runs and is reachable, and restart it if needed.'
            )}{' '}
            {trans.__('Your engines keep running, and the panel reconnects automatically.')}
          </p>
        )}
      </WhatToDo>
    </div>
  );
}

/** The Rucat server extension is missing. */
export function Missing({ onRetry }: { onRetry: () => void }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>{trans.__('The Rucat server extension is not installed on this Jupyter server.')}</p>
      <Button onClick={onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <ol>
          <li>
            {trans.__(
              'In the environment of the server, in a clone of Rucat (or with its wheel instead of the dot):'
            )}{' '}
            <code>pip install .</code>
          </li>
          <li>
            {trans.__('Check that it is enabled:')} <code>jupyter server extension list</code>
          </li>
          <li>{trans.__('Restart the Jupyter server.')}</li>
        </ol>
      </WhatToDo>
    </div>
  );
}

/** The login of the user has expired: the panel continues after a login in another tab. */
export function LoggedOut(props: { onLogin: () => void; onRetry: () => void }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>
        {trans.__('Your Jupyter login has expired: log in again.')}{' '}
        {trans.__('Then the panel continues automatically; your engines keep running.')}
      </p>
      <Button isMain onClick={props.onLogin} label={trans.__('Log in')} />
      <Button onClick={props.onRetry} label={trans.__('Try now')} />
    </div>
  );
}

/** The user has no permission. */
export function Forbidden(props: { message: string; onRetry: () => void }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div className="jp-Rucat-state" data-alert role="alert">
      <p>{trans.__('You have no permission to see engines: %1', plain(props.message, 300))}</p>
      <Button onClick={props.onRetry} label={trans.__('Try now')} />
      <WhatToDo>
        <p>{trans.__('Ask the administrator of the server for access to the resource “rucat”.')}</p>
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

/** Time until the next retry; hidden from screen readers, because it changes every second. */
function Countdown({ retryAt }: { retryAt: Date | null }): JSX.Element {
  const { trans } = usePanel();
  const now = useNow(true);
  const left = retryAt ? Math.ceil((retryAt.getTime() - now) / 1000) : 0;
  return (
    <span className="jp-Rucat-age" aria-hidden="true">
      {left > 0 ? trans.__('Retrying in %1 s.', left) : trans.__('Retrying now…')}
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
