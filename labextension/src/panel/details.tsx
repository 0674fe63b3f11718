/**
 * Details of one engine below its row: failure, operations, facts, notebooks and events.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IEngine, IEvent, IProfile } from '../tokens';
import {
  attached,
  clock,
  idleStop,
  lifetimeEnd,
  LIVE,
  missingExecutors,
  plain,
  resources,
  where
} from '../words';
import { usePanel, useNow } from './context';
import { differences } from './differences';
import { Operations } from './operations';

const EVENTS = 5;

/** The details of an engine. */
export function Details({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  return (
    <div
      className="jp-Rucat-details"
      role="region"
      aria-label={trans.__('Details of %1', plain(engine.name))}
    >
      <Why engine={engine} />
      {engine.status === 'Running' && <Operations engine={engine} />}
      <Facts engine={engine} />
      <Sessions engine={engine} />
      <Events engine={engine} />
    </div>
  );
}

/** The failure and its hint, or the current message, in full. */
function Why({ engine }: { engine: IEngine }): JSX.Element | null {
  const { failure, message } = engine;
  if (failure) {
    return (
      <div className="jp-Rucat-why" data-alert>
        <b>{plain(failure.reason)}</b>: {plain(failure.message)} ({clock(failure.at)})
        <div>{plain(failure.hint)}</div>
      </div>
    );
  }
  return message ? <div className="jp-Rucat-why">{plain(message)}</div> : null;
}

function Facts({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  const { spec } = engine;
  const python = engine.python_version ? `, Python ${plain(engine.python_version)}` : '';
  const isLive = LIVE.includes(engine.status);
  const facts: [string, React.ReactNode][] = [
    [trans.__('Where'), where(trans, engine)],
    ['Spark', engine.spark_version && plain(engine.spark_version) + python],
    [trans.__('Resources'), resources(trans, engine)],
    [
      trans.__('Executors'),
      engine.platform !== 'external' && <ExecutorFacts key="executors" engine={engine} />
    ],
    [trans.__('Profile'), <ProfileFacts key="profile" engine={engine} />],
    [trans.__('Image'), plain(spec.image ?? '')],
    [trans.__('Folder'), plain(spec.local?.directory ?? '')],
    [trans.__('Address'), isLive ? plain(engine.endpoint?.url ?? '') : ''],
    [trans.__('Ends'), isLive && <EndFacts key="ends" engine={engine} />],
    [trans.__('Id'), trans.__('%1, run %2', engine.id, engine.run)]
  ];
  return (
    <dl className="jp-Rucat-facts">
      {facts.map(
        ([word, fact]) =>
          fact && (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{fact}</dd>
            </div>
          )
      )}
    </dl>
  );
}

function ExecutorFacts({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  const { running, wanted } = engine.executors;
  const missing = missingExecutors(trans, engine);
  return (
    <>
      {wanted
        ? trans.__('%1 of %2 running', running, wanted)
        : trans.__('none: the driver works alone')}
      {missing && <div className="jp-Rucat-why">{missing}</div>}
    </>
  );
}

/** When the engine stops automatically. `last_used_at` changes without a new revision, so the engine is read regularly. */
function EndFacts({ engine }: { engine: IEngine }): JSX.Element {
  const { api, trans } = usePanel();
  const now = useNow(false);
  const [usedAt, setUsedAt] = React.useState(engine.last_used_at);
  React.useEffect(() => {
    let isWanted = true;
    api.get(engine.id).then(
      found => isWanted && setUsedAt(found.last_used_at),
      () => undefined // the panel reports the outage; the last value stays
    );
    return () => {
      isWanted = false;
    };
  }, [api, engine.id, now]);
  const used = { ...engine, last_used_at: usedAt ?? engine.last_used_at };
  const ends = [idleStop(trans, used, now) || unsaid(trans, engine), lifetimeEnd(trans, used, now)];
  return <>{ends.filter(Boolean).join(', ') || trans.__('only when a user stops it')}</>;
}

/** REST does not contain the default of the gateway, which applies if the engine has no own timeout. */
function unsaid(trans: TranslationBundle, { platform, spec }: IEngine): string {
  const isUnsaid = (spec.idle_timeout_s ?? null) === null && platform !== 'external';
  return isUnsaid
    ? trans.__('idle stop after the default timeout of the gateway (1 h unless configured)')
    : '';
}

/** The profile, and the settings that differ from it. */
function ProfileFacts({ engine }: { engine: IEngine }): JSX.Element {
  const { api, trans } = usePanel();
  const [profile, setProfile] = React.useState<IProfile | null>(null);
  React.useEffect(() => {
    let isWanted = true;
    api.profiles().then(
      ({ profiles }) =>
        isWanted && setProfile(profiles.find(p => p.name === engine.profile) ?? null),
      () => isWanted && setProfile(null) // without the profile no differences are shown
    );
    return () => {
      isWanted = false;
    };
  }, [api, engine.profile]);
  const found = profile ? differences(profile.spec, engine.spec) : [];
  return (
    <>
      {engine.profile ? plain(engine.profile) : trans.__('none')}
      {found.map(({ field, value }) => (
        <div key={field} className="jp-Rucat-code">
          {`${plain(field)} = ${plain(value, 200)}`}
        </div>
      ))}
    </>
  );
}

function Sessions({ engine }: { engine: IEngine }): JSX.Element | null {
  const { trans } = usePanel();
  const sessions = attached(engine);
  if (!sessions.length) {
    return null;
  }
  return (
    <section>
      <h4>{trans.__('Notebooks')}</h4>
      <ul className="jp-Rucat-plainList">
        {sessions.map(({ key, path }) => (
          <li key={key} title={plain(path)}>
            <bdi>{plain(path.split('/').pop() || path || trans.__('a script'))}</bdi>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The last events, newest first. */
function Events({ engine }: { engine: IEngine }): JSX.Element | null {
  const { api, trans } = usePanel();
  const [events, setEvents] = React.useState<IEvent[]>([]);
  React.useEffect(() => {
    let isWanted = true;
    api.history(engine.id).then(
      found => isWanted && setEvents(found.slice(-EVENTS).reverse()),
      () => undefined // the panel reports the outage; the last value stays
    );
    return () => {
      isWanted = false;
    };
  }, [api, engine.id, engine.revision]);
  if (!events.length) {
    return null;
  }
  return (
    <section>
      <h4>{trans.__('Last events')}</h4>
      <ol className="jp-Rucat-plainList">
        {events.map((event, index) => (
          <li key={`${event.revision} ${event.at} ${index}`}>
            <span className="jp-Rucat-age">{clock(event.at)}</span>{' '}
            {[event.status, event.reason || event.kind]
              .filter(Boolean)
              .map(t => plain(t, 200))
              .join(' · ')}
          </li>
        ))}
      </ol>
    </section>
  );
}
