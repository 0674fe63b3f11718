/**
 * The side panel's content: props in, commands out.
 */
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import * as React from 'react';

import { LOGIN } from '../api';
import type { IEngine, IEngineManager, IFrontNotebook } from '../tokens';
import { CommandIDs } from '../tokens';
import { usePanel } from './context';
import { Front } from './front';
import { EngineList } from './list';
import type { Sort } from './order';
import { arrange, keepOrder } from './order';
import { Empty, Forbidden, Loading, LoggedOut, Missing, Offline } from './states';

export interface IPanelProps {
  manager: IEngineManager;
  front: IFrontNotebook | null;
  sort: Sort;
  openId: string | null;
  onSort: (sort: Sort) => void;
  onToggle: (id: string) => void;
}

/** The whole panel. */
export function Panel(props: IPanelProps): JSX.Element {
  const { front, manager } = props;
  const { trans } = usePanel();
  const { connection, engines } = manager;
  const retry = () => void manager.refresh();
  const isBlank = connection.kind === 'missing' || connection.kind === 'forbidden';
  return (
    <div className="jp-Rucat-panel" role="region" aria-label={trans.__('Rucat engines')}>
      <Title isOffline={connection.kind === 'offline'} onRetry={retry} />
      {front && !isBlank && <Front front={front} />}
      {connection.kind === 'loading' && <Loading />}
      {connection.kind === 'missing' && <Missing onRetry={retry} />}
      {connection.kind === 'forbidden' &&
        (connection.isLoggedOut ? (
          <LoggedOut onLogin={logIn} onRetry={retry} />
        ) : (
          <Forbidden message={connection.message} onRetry={retry} />
        ))}
      {connection.kind === 'offline' && <Offline connection={connection} onRetry={retry} />}
      {(connection.kind === 'ok' || (connection.kind === 'offline' && engines.length > 0)) && (
        <Engines {...props} isOld={connection.kind === 'offline'} />
      )}
    </div>
  );
}

/** Open Jupyter's login page in another tab: this one keeps its notebooks. */
function logIn(): void {
  window.open(URLExt.join(PageConfig.getBaseUrl(), LOGIN), '_blank', 'noopener');
}

function Title({ isOffline, onRetry }: { isOffline: boolean; onRetry: () => void }): JSX.Element {
  const { run, trans } = usePanel();
  return (
    <header className="jp-Rucat-title">
      <h2>{trans.__('Rucat')}</h2>
      <button
        className="jp-Rucat-more"
        title={trans.__('Create an engine')}
        aria-label={trans.__('Create an engine')}
        onClick={() => run(CommandIDs.create, {})}
      >
        +
      </button>
      {isOffline && (
        <button
          className="jp-Rucat-more"
          title={trans.__('Refresh the list of engines')}
          aria-label={trans.__('Refresh the list of engines')}
          onClick={onRetry}
        >
          ⟳
        </button>
      )}
    </header>
  );
}

function Engines(props: IPanelProps & { isOld: boolean }): JSX.Element {
  const { front, isOld, manager, onSort, onToggle, openId, sort } = props;
  const { trans } = usePanel();
  const [filter, setFilter] = React.useState('');
  const [isHeld, setHeld] = React.useState(false);
  const shown = useShown(manager.engines, filter, sort, isHeld);
  const total = manager.engines.length;
  return (
    <section className="jp-Rucat-engines" data-old={isOld || undefined}>
      {total > 0 && (
        <>
          <h3>
            {trans.__('Engines')}{' '}
            <span className="jp-Rucat-age">
              {filter ? trans.__('(%1 of %2)', shown.length, total) : `(${total})`}
            </span>
          </h3>
          <Tools filter={filter} onFilter={setFilter} sort={sort} onSort={onSort} />
        </>
      )}
      {shown.length > 0 ? (
        <EngineList
          engines={shown}
          openId={openId}
          frontId={front?.engine?.id ?? null}
          onToggle={onToggle}
          onHold={setHeld}
        />
      ) : (
        <Empty filter={total ? filter : ''} onClear={() => setFilter('')} />
      )}
    </section>
  );
}

interface IToolsProps {
  filter: string;
  onFilter: (filter: string) => void;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function Tools({ filter, onFilter, onSort, sort }: IToolsProps): JSX.Element {
  const { trans } = usePanel();
  const sorts: [Sort, string][] = [
    ['status', trans.__('status')],
    ['name', trans.__('name')],
    ['age', trans.__('age')]
  ];
  return (
    <div className="jp-Rucat-tools" role="search" aria-label={trans.__('Filter and sort engines')}>
      <input
        className="jp-Rucat-input"
        type="search"
        value={filter}
        placeholder={trans.__('filter…')}
        aria-label={trans.__('Filter engines by name, status, place or profile')}
        onChange={event => onFilter(event.target.value)}
      />
      <label>
        {trans.__('sort:')}{' '}
        <select
          className="jp-Rucat-input"
          value={sort}
          aria-label={trans.__('Sort engines by')}
          onChange={event => onSort(event.target.value as Sort)}
        >
          {sorts.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** The engines of the list; they keep their order while the pointer is on it. */
function useShown(
  engines: ReadonlyArray<IEngine>,
  filter: string,
  sort: Sort,
  isHeld: boolean
): ReadonlyArray<IEngine> {
  const { trans } = usePanel();
  const last = React.useRef<{ asked: string; ids: string[] }>({ asked: '', ids: [] });
  const asked = `${sort} ${filter}`;
  const shown = React.useMemo(() => {
    const found = arrange(trans, engines, filter, sort);
    return isHeld && last.current.asked === asked ? keepOrder(last.current.ids, found) : found;
  }, [trans, engines, filter, sort, isHeld, asked]);
  React.useEffect(() => {
    last.current = { asked, ids: shown.map(({ id }) => id) };
  }, [asked, shown]);
  return shown;
}
