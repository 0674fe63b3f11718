/**
 * Cache of the engines: merges responses that arrive out of order.
 *
 * An action can overtake a read: the read begins, the action is sent and answered, and then the response of the read
 * arrives with an older state of the engine. So reads have numbers. If an action on an engine was answered after a read
 * began, that read updates this engine only with a higher revision.
 *
 * Unchanged engines keep their object, so that views can compare with `===`.
 */
import type { IEngine, Status } from '../tokens';

interface IKnown {
  engine: IEngine;
  /** Number of the last read that had begun when an action returned this; 0: a read returned it. */
  said: number;
}

/** The cache. */
export class Known {
  /** Engines to show, oldest first. */
  get engines(): ReadonlyArray<IEngine> {
    return this._shown;
  }

  /** Begin a read; returns its number. */
  beginRead(): number {
    return ++this._reads;
  }

  /** Merge the response of a read; returns whether `engines` has changed. */
  take(read: number, engines: ReadonlyArray<IEngine>): boolean {
    const next = new Map<string, IKnown>();
    engines.forEach(engine => next.set(engine.id, this._newer(read, engine)));
    for (const [id, known] of this._known) {
      if (!next.has(id) && known.said >= read) {
        next.set(id, known); // created during this read
      }
    }
    this._known = next;
    return this._render();
  }

  /** Merge the response of an action; this ends the expected status. Returns whether `engines` has changed. */
  answer(engine: IEngine): boolean {
    this._expected.delete(engine.id);
    const known = this._known.get(engine.id);
    if (!known || engine.revision >= known.engine.revision) {
      const same = known && isSame(known.engine, engine);
      this._known.set(engine.id, { engine: same ? known.engine : engine, said: this._reads });
    }
    return this._render();
  }

  /** Show this status of a pending action until the response arrives (`answer`) or the action fails (`settle`). */
  expect(id: string, status: Status): boolean {
    this._expected.set(id, status);
    return this._render();
  }

  /** End the expected status of a failed action. */
  settle(id: string): boolean {
    this._expected.delete(id);
    return this._render();
  }

  /** Whether an event contains anything new. */
  isNews(
    changed: ReadonlyArray<{ id: string; revision: number }>,
    removed: ReadonlyArray<string>
  ): boolean {
    const isNewer = ({ id, revision }: { id: string; revision: number }) =>
      revision > (this._known.get(id)?.engine.revision ?? -1);
    return changed.some(isNewer) || removed.some(id => this._known.has(id));
  }

  private _newer(read: number, engine: IEngine): IKnown {
    const known = this._known.get(engine.id);
    if (!known) {
      return { engine, said: 0 };
    }
    if (known.said >= read && engine.revision <= known.engine.revision) {
      return known;
    }
    return isSame(known.engine, engine) ? { ...known, said: 0 } : { engine, said: 0 };
  }

  private _render(): boolean {
    const next = [...this._known.values()].map(({ engine }) => this._show(engine)).sort(byAge);
    const isChanged =
      next.length !== this._shown.length || next.some((engine, i) => engine !== this._shown[i]);
    if (isChanged) {
      this._shown = next;
    }
    return isChanged;
  }

  private _show(engine: IEngine): IEngine {
    const status = this._expected.get(engine.id);
    if (!status || status === engine.status) {
      return engine;
    }
    const drawn = this._drawn.get(engine);
    if (drawn?.status === status) {
      return drawn;
    }
    const made: IEngine = { ...engine, status, verbs: [], message: '', failure: null };
    this._drawn.set(engine, made);
    return made;
  }

  private _reads = 0;
  private _known = new Map<string, IKnown>();
  private _expected = new Map<string, Status>();
  private _drawn = new WeakMap<IEngine, IEngine>();
  private _shown: ReadonlyArray<IEngine> = [];
}

/** Whether both are equal; some fields change without a new revision (`last_used_at`, the address of a port forward). */
function isSame(one: IEngine, other: IEngine): boolean {
  return one.revision === other.revision && JSON.stringify(one) === JSON.stringify(other);
}

function byAge(one: IEngine, other: IEngine): number {
  return one.created_at < other.created_at ? -1 : one.created_at > other.created_at ? 1 : 0;
}
