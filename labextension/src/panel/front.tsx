/**
 * The notebook in front, and its engine.
 */
import * as React from 'react';

import type { IFrontNotebook } from '../tokens';
import { CommandIDs } from '../tokens';
import { plain, where } from '../words';
import { usePanel } from './context';
import { MoreButton, Name, Shape } from './parts';

/** A box that names the engine of the notebook in front; nothing where no notebook is. */
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
        title={trans.__('Let go of %1; it lives on', plain(engine.name))}
        onClick={() => run(CommandIDs.detach, { path: front.path })}
      >
        {trans.__('Detach')}
      </button>
      <MoreButton engine={engine} />
    </div>
  );
}
