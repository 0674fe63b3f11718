/**
 * One engine in the list: three lines of one height, so that nothing moves while they change, and its details below.
 */
import * as React from 'react';

import { startEngineDrag } from '../notebook/drag';
import type { IEngine } from '../tokens';
import { note, plain, where } from '../words';
import { primary } from './actions';
import { usePanel } from './context';
import { Details } from './details';
import { ActionButton, Age, Name, Shape } from './parts';

/** Height of a row without details, in pixels: `--jp-Rucat-row` of style/base.css. */
export const ROW_PX = 64;

export interface IRowProps {
  engine: IEngine;
  /** Its place in the list, from 0, and how many there are. */
  index: number;
  total: number;
  top: number;
  isOpen: boolean;
  /** Whether it is the one that Tab reaches. */
  isActive: boolean;
  /** Whether the notebook in front uses it. */
  isFront: boolean;
  onActivate: (id: string) => void;
  onToggle: (id: string) => void;
  /** Height with details, whenever it changes. */
  onHeight: (height: number) => void;
}

/** Rendered anew only when its engine or its place changes. */
export const Row = React.memo((props: IRowProps): JSX.Element => {
  const { engine, index, isActive, isFront, isOpen, onHeight, top, total } = props;
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
        <Side engine={engine} isActive={isActive} />
      </div>
      {isOpen && <Details engine={engine} />}
    </li>
  );
});
Row.displayName = 'Row';

function Head({ engine, isActive, isFront, isOpen, onActivate, onToggle }: IRowProps): JSX.Element {
  const { run, trans } = usePanel();
  return (
    <div
      className="jp-Rucat-head"
      role="button"
      tabIndex={isActive ? 0 : -1}
      aria-expanded={isOpen}
      onFocus={() => onActivate(engine.id)}
      onClick={event => event.detail < 2 && onToggle(engine.id)}
      onDoubleClick={() => run('rucat:attach', { engine: engine.id })}
      onMouseDown={event => startEngineDrag(event.nativeEvent, engine)}
    >
      <span className="jp-Rucat-line">
        <Shape engine={engine} />
        <Name engine={engine} />
        <span className="jp-Rucat-status">{engine.status}</span>
        {isFront && <span className="jp-Rucat-mark">{trans.__('this notebook')}</span>}
      </span>
      <About engine={engine} />
      <Note engine={engine} />
    </div>
  );
}

/** Where, by which profile, with how many executors and notebooks. */
function About({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  const { running, wanted } = engine.executors;
  const sessions = engine.sessions.length;
  const parts = [
    where(trans, engine),
    plain(engine.profile ?? ''),
    wanted ? trans.__('%1 of %2 executors', running, wanted) : '',
    sessions ? trans._n('%1 notebook', '%1 notebooks', sessions) : ''
  ];
  const text = parts.filter(Boolean).join(' · ');
  return (
    <span className="jp-Rucat-line jp-Rucat-about" title={text}>
      {text}
    </span>
  );
}

/** The one thing worth saying: why it failed, what it waits for. */
function Note({ engine }: { engine: IEngine }): JSX.Element {
  const { trans } = usePanel();
  const said = note(trans, { ...engine, sessions: [] });
  return (
    <span className="jp-Rucat-line jp-Rucat-note" title={said}>
      {said}
    </span>
  );
}

/** Age, menu, and the one button. */
function Side({ engine, isActive }: { engine: IEngine; isActive: boolean }): JSX.Element {
  const { openMenu, trans } = usePanel();
  const action = primary(trans, engine);
  const tabIndex = isActive ? 0 : -1;
  return (
    <div className="jp-Rucat-side">
      <span className="jp-Rucat-line">
        <Age engine={engine} />
        <button
          className="jp-Rucat-more"
          aria-haspopup="menu"
          aria-label={trans.__('More about %1', plain(engine.name))}
          title={trans.__('More')}
          tabIndex={tabIndex}
          onClick={event => {
            const { bottom, left } = event.currentTarget.getBoundingClientRect();
            openMenu(engine.id, left, bottom);
          }}
        >
          ⋯
        </button>
      </span>
      {action && <ActionButton action={action} tabIndex={tabIndex} />}
    </div>
  );
}

/** Tell the height of an open row whenever it changes. */
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
