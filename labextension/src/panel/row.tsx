/**
 * One engine in the list: three lines of fixed height, so that nothing moves when they change, and its details below.
 */
import * as React from 'react';

import { startEngineDrag } from '../notebook/drag';
import type { IEngine } from '../tokens';
import { CommandIDs } from '../tokens';
import { attached, note, plain, where } from '../words';
import { primary } from './actions';
import { usePanel } from './context';
import { Details } from './details';
import { ActionButton, Age, MoreButton, Name, Shape } from './parts';

/** Height of a row without details, in pixels: `--jp-Rucat-row` of style/base.css. */
export const ROW_PX = 64;

export interface IRowProps {
  engine: IEngine;
  /** Index in the list, from 0, and length of the list. */
  index: number;
  total: number;
  top: number;
  isOpen: boolean;
  /** Whether Tab reaches this row. */
  isActive: boolean;
  /** Whether the current notebook uses it. */
  isFront: boolean;
  onActivate: (id: string) => void;
  onToggle: (id: string) => void;
  /** Called with the height of row and details when it changes. */
  onHeight: (height: number) => void;
}

/** Rendered again only when its engine or position changes. */
export const Row = React.memo((props: IRowProps): JSX.Element => {
  const { engine, index, isActive, isFront, isOpen, onHeight, onToggle, top, total } = props;
  const item = React.useRef<HTMLLIElement>(null);
  useHeight(item, isOpen, onHeight);
  return (
    <li
      ref={item}
      className="jp-Rucat-row"
      style={{ top }}
      data-engine-id={engine.id}
      data-status={engine.status}
      data-front={isFront || undefined}
      data-open={isOpen || undefined}
      aria-posinset={index + 1}
      aria-setsize={total}
    >
      <div className="jp-Rucat-summary">
        <Head {...props} />
        <Corner engine={engine} isActive={isActive} />
        <Foot engine={engine} isActive={isActive} isFront={isFront} onToggle={onToggle} />
      </div>
      {isOpen && <Details engine={engine} />}
    </li>
  );
});
Row.displayName = 'Row';

function Head({ engine, isActive, isFront, isOpen, onActivate, onToggle }: IRowProps): JSX.Element {
  const { run } = usePanel();
  return (
    <div
      className="jp-Rucat-head"
      role="button"
      tabIndex={isActive ? 0 : -1}
      aria-expanded={isOpen}
      onFocus={() => onActivate(engine.id)}
      onClick={event => event.detail < 2 && onToggle(engine.id)}
      onDoubleClick={() => run(CommandIDs.attach, { engine: engine.id })}
      onMouseDown={event => startEngineDrag(event.nativeEvent, engine)}
    >
      <span className="jp-Rucat-line">
        <Shape engine={engine} />
        <Name engine={engine} />
        <span className="jp-Rucat-status">{engine.status}</span>
      </span>
      <About engine={engine} isFront={isFront} />
    </div>
  );
}

/** Place, profile, executors and notebooks. */
function About({ engine, isFront }: { engine: IEngine; isFront: boolean }): JSX.Element {
  const { trans } = usePanel();
  const { running, wanted } = engine.executors;
  const sessions = attached(engine).length;
  const parts = [
    where(trans, engine),
    plain(engine.profile ?? ''),
    wanted ? trans.__('%1 of %2 executors', running, wanted) : '',
    sessions ? trans._n('%1 notebook', '%1 notebooks', sessions) : ''
  ];
  const text = parts.filter(Boolean).join(' · ');
  return (
    <span className="jp-Rucat-line" title={text}>
      {isFront && <span className="jp-Rucat-mark">{trans.__('this notebook')}</span>}
      {text}
    </span>
  );
}

/** Age and menu. */
function Corner({ engine, isActive }: { engine: IEngine; isActive: boolean }): JSX.Element {
  return (
    <span className="jp-Rucat-corner">
      <Age engine={engine} />
      <MoreButton engine={engine} tabIndex={isActive ? 0 : -1} />
    </span>
  );
}

interface IFootProps {
  engine: IEngine;
  isActive: boolean;
  isFront: boolean;
  onToggle: (id: string) => void;
}

/** The most important note (failure or progress), and the primary button. */
function Foot({ engine, isActive, isFront, onToggle }: IFootProps): JSX.Element {
  const { trans } = usePanel();
  const said = note(trans, { ...engine, sessions: [] });
  const found = primary(trans, engine);
  const action = isFront && found?.command === CommandIDs.attach ? null : found; // already attached
  return (
    <div className="jp-Rucat-foot">
      <span className="jp-Rucat-line" title={said} onClick={() => onToggle(engine.id)}>
        {said}
      </span>
      {action && <ActionButton action={action} tabIndex={isActive ? 0 : -1} />}
    </div>
  );
}

/** Report the height of an open row when it changes. */
function useHeight(
  item: React.RefObject<HTMLElement>,
  isOpen: boolean,
  onHeight: (height: number) => void
): void {
  React.useLayoutEffect(() => {
    const node = item.current;
    if (!isOpen || !node) {
      return;
    }
    const measure = () => onHeight(node.offsetHeight);
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, [item, isOpen, onHeight]);
}
