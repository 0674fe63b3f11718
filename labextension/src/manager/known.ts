/**
 * What is known of the engines, and what is shown of them: answers in the order in which they were asked for.
 *
 * A read may be overtaken: it begins, an action is asked and answered, and only then the read's answer comes. What it
 * says of that engine is older than what is known. So every read and every answer has a number, and of an engine that
 * an answer spoke of since the read began, the read is believed only where its revision is higher.
 *
 * Engines that did not change keep their object, so that who shows them sees by `===` that there is nothing to do.
 */
import type { IEngine, Status } from '../tokens';

interface IKnown {
  engine: IEngine;
  /** Number of the last read that had begun when an action's answer said this; 0: a read said it. */
  said: number;
}

/** What is known of all engines. */
export class Known {
  /** Engines as they are to be shown, oldest first. */
  get engines(): ReadonlyArray<IEngine> {
    return this._shown;
  }

  /** Begin a read; returns its number. */
  beginRead(): number {
    return ++this._reads;
  }

  /** Take a read's answer; returns whether anything that is shown has changed. */
  take(read: number, engines: ReadonlyArray<IEngine>): boolean {
    const next = new Map<string, IKnown>();
    engines.forEach(engine => next.set(engine.id, this._newer(read, engine)));
    for (const [id, known] of this._known) {
      if (!next.has(id) && known.said >= read) {
        next.set(id, known); // made while this read was under way
      }
    }
    this._known = next;
    return this._render();
  }

  /** Take what an action's answer says of an engine; nothing is expected of it any more. */
  answer(engine: IEngine): boolean {
    this._expected.delete(engine.id);
    const known = this._known.get(engine.id);
    if (!known || engine.revision >= known.engine.revision) {
      const same = known && isSame(known.engine, engine);
      this._known.set(engine.id, { engine: same ? known.engine : engine, said: this._reads });
    }
    return this._render();
  }

  /** Show this status until there is an answer, or none will come (`settle`): what an action that was just asked for will make of the engine. */
  expect(id: string, status: Status): boolean {
    this._expected.set(id, status);
    return this._render();
  }

  /** Show what is known of the engine again. */
  settle(id: string): boolean {
    this._expected.delete(id);
    return this._render();
  }

  /** Whether a hint says anything that is not known yet. */
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

/** Whether both say the same; not all that REST shows moves the revision (`last_used_at`, a forward's address). */
function isSame(one: IEngine, other: IEngine): boolean {
  return one.revision === other.revision && JSON.stringify(one) === JSON.stringify(other);
}

function byAge(one: IEngine, other: IEngine): number {
  return one.created_at < other.created_at ? -1 : one.created_at > other.created_at ? 1 : 0;
}
