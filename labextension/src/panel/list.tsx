/**
 * The list of engines: only the visible rows are in the DOM.
 *
 * All rows have the same height, except the one with open details. So positions are calculated, not measured.
 */
import * as React from 'react';

import type { IEngine } from '../tokens';
import { CommandIDs } from '../tokens';
import { usePanel } from './context';
import { Row, ROW_PX } from './row';

/** Extra rows in the DOM above and below the visible ones. */
const MORE_ROWS = 6;

export interface IListProps {
  engines: ReadonlyArray<IEngine>;
  openId: string | null;
  frontId: string | null;
  onToggle: (id: string) => void;
  /** The pointer has entered or left the list. */
  onHold: (isHeld: boolean) => void;
}

/** The list. */
export function EngineList(props: IListProps): JSX.Element {
  const { engines, frontId, onHold, onToggle, openId } = props;
  const { trans } = usePanel();
  const scroller = React.useRef<HTMLDivElement>(null);
  const [openPx, setOpenPx] = React.useState(ROW_PX);
  const [activeId, setActiveId] = React.useState<string | null>(null);
  const openAt = engines.findIndex(({ id }) => id === openId);
  const place = new Place(engines.length, openAt, openPx);
  const [first, last] = useSight(scroller, place);
  const activeAt = Math.max(
    0,
    engines.findIndex(({ id }) => id === activeId)
  );
  const focus = useFocus(scroller, place, setActiveId);
  const held = useHeldFocus(engines, focus);
  const keys = useKeys({ ...props, activeAt, focus });
  const row = (engine: IEngine, index: number) => (
    <Row
      key={engine.id}
      engine={engine}
      index={index}
      total={engines.length}
      top={place.top(index)}
      isOpen={index === openAt}
      isActive={index === activeAt}
      isFront={engine.id === frontId}
      onActivate={setActiveId}
      onToggle={onToggle}
      onHeight={setOpenPx}
    />
  );
  return (
    <div
      ref={scroller}
      className="jp-Rucat-scroller"
      onPointerEnter={() => onHold(true)}
      onPointerLeave={() => onHold(false)}
    >
      <ul
        className="jp-Rucat-list"
        aria-label={trans.__('Engines')}
        style={{ height: place.height }}
        {...keys}
        {...held}
      >
        {engines.map((engine, index) =>
          (index >= first && index <= last) || index === activeAt ? row(engine, index) : null
        )}
      </ul>
    </div>
  );
}

/** Positions of the rows. */
class Place {
  constructor(
    readonly total: number,
    readonly openAt: number,
    private readonly _openPx: number
  ) {}

  get height(): number {
    return this.top(this.total);
  }

  /** Top edge of a row. */
  top(index: number): number {
    const isBelow = this.openAt >= 0 && index > this.openAt;
    return index * ROW_PX + (isBelow ? this._openPx - ROW_PX : 0);
  }

  /** Row at a vertical position. */
  at(y: number): number {
    let index = Math.floor(y / ROW_PX);
    if (this.openAt >= 0 && index > this.openAt) {
      index = Math.max(this.openAt, Math.floor((y - this._openPx + ROW_PX) / ROW_PX));
    }
    return Math.min(Math.max(index, 0), this.total - 1);
  }
}

/** First and last row that are rendered. */
function useSight(scroller: React.RefObject<HTMLElement>, place: Place): [number, number] {
  const [[top, height], setSight] = React.useState([0, 0]);
  React.useLayoutEffect(() => {
    const node = scroller.current!;
    const look = () => {
      // in steps of one row: most scroll events change nothing
      const step = Math.floor(node.scrollTop / ROW_PX) * ROW_PX;
      setSight(was =>
        was[0] === step && was[1] === node.clientHeight ? was : [step, node.clientHeight]
      );
    };
    const observer = new ResizeObserver(look);
    observer.observe(node);
    node.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      node.removeEventListener('scroll', look);
    };
  }, [scroller]);
  return [place.at(top) - MORE_ROWS, place.at(top + height) + MORE_ROWS];
}

/** A function that moves the focus to any row: the active row is always in the DOM. */
function useFocus(
  scroller: React.RefObject<HTMLElement>,
  place: Place,
  activate: (id: string) => void
): (id: string, index: number) => void {
  const wanted = React.useRef<string | null>(null);
  React.useLayoutEffect(() => {
    const found = wanted.current && headOf(scroller.current!, wanted.current);
    if (found) {
      wanted.current = null;
      found.focus({ preventScroll: true });
    }
  });
  return (id, index) => {
    const node = scroller.current!;
    const [top, bottom] = [place.top(index), place.top(index) + ROW_PX];
    if (top < node.scrollTop) {
      node.scrollTop = top;
    } else if (bottom > node.scrollTop + node.clientHeight) {
      node.scrollTop = bottom - node.clientHeight;
    }
    wanted.current = id;
    activate(id);
  };
}

/** If the focused row disappears, the row at its position gets the focus, so that keys keep working. */
function useHeldFocus(
  engines: ReadonlyArray<IEngine>,
  focus: (id: string, index: number) => void
): Pick<React.HTMLAttributes<HTMLElement>, 'onFocus' | 'onBlur'> {
  const held = React.useRef<{ id: string; index: number } | null>(null);
  React.useLayoutEffect(() => {
    const { id, index } = held.current ?? {};
    const at = engines.findIndex(engine => engine.id === id);
    if (id === undefined || index === undefined) {
      return;
    }
    if (at >= 0) {
      held.current = { id, index: at };
    } else if (engines.length > 0 && document.activeElement === document.body) {
      const next = Math.min(index, engines.length - 1);
      focus(engines[next].id, next);
    }
  }, [engines]); // eslint-disable-line react-hooks/exhaustive-deps -- only when the engines change
  return {
    onFocus: event => {
      const id = event.target.closest<HTMLElement>('.jp-Rucat-row')?.dataset.engineId;
      const index = engines.findIndex(engine => engine.id === id);
      held.current = id && index >= 0 ? { id, index } : null;
    },
    onBlur: event => {
      if (event.relatedTarget) {
        held.current = null;
      }
    }
  };
}

function headOf(scroller: HTMLElement, id: string): HTMLElement | null {
  const rows = [...scroller.querySelectorAll<HTMLElement>('.jp-Rucat-row')];
  const found = rows.find(({ dataset }) => dataset.engineId === id);
  return found?.querySelector<HTMLElement>('.jp-Rucat-head') ?? null;
}

interface IKeysProps extends IListProps {
  activeAt: number;
  focus: (id: string, index: number) => void;
}

/** Arrows, Home and End move; Enter attaches; Space and arrows open and close; Delete asks; Menu opens the menu. */
function useKeys({ activeAt, engines, focus, onToggle, openId }: IKeysProps) {
  const { openMenu, run } = usePanel();
  const go = (index: number) => {
    const at = Math.min(Math.max(index, 0), engines.length - 1);
    focus(engines[at].id, at);
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLElement>) => {
    const engine = engines[activeAt];
    if (!engine || !(event.target as HTMLElement).matches('.jp-Rucat-head')) {
      return;
    }
    const isOpen = engine.id === openId;
    const actions: { [key: string]: () => void } = {
      ArrowDown: () => go(activeAt + 1),
      ArrowUp: () => go(activeAt - 1),
      Home: () => go(0),
      End: () => go(engines.length - 1),
      Enter: () => run(CommandIDs.attach, { engine: engine.id }),
      ' ': () => onToggle(engine.id),
      ArrowRight: () => !isOpen && onToggle(engine.id),
      ArrowLeft: () => isOpen && onToggle(engine.id),
      Delete: () => run(CommandIDs.remove, { engine: engine.id })
    };
    const action = event.ctrlKey || event.altKey || event.metaKey ? undefined : actions[event.key];
    if (action) {
      event.preventDefault();
      event.stopPropagation();
      action();
    }
  };
  const onContextMenu = (event: React.MouseEvent<HTMLElement>) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('.jp-Rucat-row');
    if (!row || event.shiftKey) {
      return; // Shift: the browser's own menu, as everywhere in JupyterLab
    }
    event.preventDefault();
    event.stopPropagation();
    const { left, top } = row.getBoundingClientRect();
    const isKey = event.button !== 2;
    openMenu(
      row.dataset.engineId!,
      isKey ? left + 16 : event.clientX,
      isKey ? top + 24 : event.clientY
    );
  };
  return { onContextMenu, onKeyDown };
}
