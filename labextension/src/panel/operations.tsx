/**
 * The running operations of an engine with notebook and cell, and a button to cancel them. Cancel works while the kernel
 * is busy, because the gateway asks the engine.
 */
import * as React from 'react';

import { RucatError } from '../api';
import { report } from '../report';
import type { IEngine, IOperation } from '../tokens';
import { elapsed, origin, percent, plain } from '../words';
import { usePanel, useNow } from './context';

/** Poll interval while the details are visible. */
const LOOK_MS = 2_000;
const LONGEST_QUERY = 300;

/** The running operations. */
export function Operations({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  const { look, operations, problem } = useOperations(engine.id);
  return (
    <section aria-label={trans.__('Operations on %1', plain(engine.name))}>
      <h4>{trans.__('Running now')}</h4>
      {problem && <div>{problem}</div>}
      {operations && !operations.length && !problem && (
        <div>{trans.__('No operation is running.')}</div>
      )}
      <ul className="jp-Rucat-plainList">
        {(operations ?? []).map(operation => (
          <Operation key={operation.id} engine={engine} operation={operation} onCancelled={look} />
        ))}
      </ul>
    </section>
  );
}

interface IOperationProps {
  engine: IEngine;
  operation: IOperation;
  onCancelled: () => void;
}

function Operation({ engine, onCancelled, operation }: IOperationProps): JSX.Element {
  const { api, trans } = usePanel();
  const now = useNow(true);
  const [isAsked, setAsked] = React.useState(false);
  const isEnding = isAsked || operation.status === 'cancelling';
  const place = origin(trans, operation);
  const cancel = async () => {
    setAsked(true);
    try {
      await api.cancel(engine.id, operation.id);
    } catch (error) {
      setAsked(false);
      if (!(error instanceof RucatError && error.code === 'operation_not_found')) {
        report(trans, trans.__('Cancel an operation on %1', plain(engine.name)), error);
      }
    }
    onCancelled();
  };
  return (
    <li className="jp-Rucat-operation">
      <div className="jp-Rucat-operationLine">
        <span title={plain(operation.notebook)}>
          <bdi>{place}</bdi>
        </span>
        <span className="jp-Rucat-age">{elapsed(operation.started_at, now)}</span>
        <button
          className="jp-Rucat-button"
          disabled={isEnding}
          aria-label={trans.__('Cancel the operation of %1', place)}
          onClick={() => void cancel()}
        >
          {isEnding ? trans.__('Cancelling') : trans.__('Cancel')}
        </button>
      </div>
      <Progress operation={operation} />
      <div className="jp-Rucat-code">{plain(operation.text.trim(), LONGEST_QUERY)}</div>
    </li>
  );
}

/** Progress as a bar and as text; nothing if the engine does not report it. */
function Progress({ operation }: { operation: IOperation }): JSX.Element | null {
  const { trans } = usePanel();
  const done = percent(operation);
  if (done === null) {
    return null;
  }
  const tasks = trans.__('%1/%2 tasks', operation.tasks_done ?? 0, operation.tasks);
  return (
    <div className="jp-Rucat-operationLine">
      <progress max={100} value={done} aria-label={trans.__('Progress')} />
      <span className="jp-Rucat-age">{`${done} % · ${tasks}`}</span>
    </div>
  );
}

interface IOperations {
  /** Null: not read yet. */
  operations: IOperation[] | null;
  problem: string;
  look: () => void;
}

/** The operations of an engine, polled while the panel and the page are visible. */
function useOperations(id: string): IOperations {
  const { api, clock } = usePanel();
  const [found, setFound] = React.useState<Omit<IOperations, 'look'>>({
    operations: null,
    problem: ''
  });
  const lookNow = React.useRef<() => void>(() => undefined);
  React.useEffect(() => {
    const abort = new AbortController();
    let timer: number | undefined;
    const look = async () => {
      window.clearTimeout(timer);
      if (!document.hidden && !clock.isPaused) {
        const next = await read();
        if (abort.signal.aborted) {
          return;
        }
        setFound(was => ({ operations: next.operations ?? was.operations, problem: next.problem }));
      }
      window.clearTimeout(timer);
      timer = window.setTimeout(() => void look(), LOOK_MS);
    };
    const read = async (): Promise<Omit<IOperations, 'look'>> => {
      try {
        return { operations: await api.operations(id, abort.signal), problem: '' };
      } catch (error) {
        return { operations: null, problem: plain(error instanceof Error ? error.message : error) };
      }
    };
    lookNow.current = () => void look();
    void look();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [api, clock, id]);
  return { ...found, look: () => lookNow.current() };
}
