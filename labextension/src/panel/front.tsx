/**
 * The current notebook and its engine.
 */
import * as React from 'react';

import type { IFrontNotebook } from '../tokens';
import { CommandIDs } from '../tokens';
import { plain, where } from '../words';
import { usePanel } from './context';
import { MoreButton, Name, Shape } from './parts';

/** A box with the engine of the current notebook; nothing without a notebook. */
export function Front({ front }: { front: IFrontNotebook }): JSX.Element | null {
  const { trans } = usePanel();
  if (front.path === null) {
    return null;
  }
  const name = plain(front.path.split('/').pop());
  return (
    <section className="jp-Rucat-front" aria-label={trans.__('This notebook')}>
      <h3 title={plain(front.path)}>{trans.__('this notebook')}</h3>
      {front.engine ? (
        <Attached front={front} />
      ) : (
        <p>{trans.__('%1 has no engine: attach one below.', name)}</p>
      )}
    </section>
  );
}

function Attached({ front }: { front: IFrontNotebook }): JSX.Element {
  const { run, trans } = usePanel();
  const engine = front.engine!;
  const about = `${engine.status} · ${where(trans, engine)}`;
  return (
    <div className="jp-Rucat-frontLine">
      <Shape engine={engine} />
      <Name engine={engine} />
      <span className="jp-Rucat-line" title={about}>
        {about}
      </span>
      <button
        className="jp-Rucat-button"
        title={trans.__('Detach from %1; the engine keeps running', plain(engine.name))}
        onClick={() => run(CommandIDs.detach, { path: front.path })}
      >
        {trans.__('Detach')}
      </button>
      <MoreButton engine={engine} />
    </div>
  );
}
