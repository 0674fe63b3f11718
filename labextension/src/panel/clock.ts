/**
 * One clock for all that is shown with an age: every second for what is young, every half minute for the rest, and
 * not at all while nobody looks.
 */

export const QUICK_MS = 1_000;
export const SLOW_MS = 30_000;

type Listener = () => void;

/** One timer, which runs while somebody listens. */
class Pace {
  readonly listeners = new Set<Listener>();

  constructor(private readonly _ms: number) {}

  run(isWanted: boolean): void {
    const shouldRun = isWanted && this.listeners.size > 0;
    if (shouldRun && this._timer === undefined) {
      this._timer = window.setInterval(() => this.call(), this._ms);
    } else if (!shouldRun && this._timer !== undefined) {
      window.clearInterval(this._timer);
      this._timer = undefined;
    }
  }

  call(): void {
    this.listeners.forEach(listener => listener());
  }

  private _timer: number | undefined;
}

/** Calls its listeners, at one of two paces. */
export class Clock {
  /** Whether nobody looks; when somebody looks again all are called at once. */
  get isPaused(): boolean {
    return this._isPaused;
  }
  set isPaused(isPaused: boolean) {
    if (isPaused === this._isPaused) {
      return;
    }
    this._isPaused = isPaused;
    for (const pace of [this._quick, this._slow]) {
      pace.run(!isPaused);
      if (!isPaused) {
        pace.call();
      }
    }
  }

  /** Be called every second, or every half minute; returns how to end that. */
  subscribe(isQuick: boolean, listener: Listener): () => void {
    const pace = isQuick ? this._quick : this._slow;
    pace.listeners.add(listener);
    pace.run(!this._isPaused);
    return () => {
      pace.listeners.delete(listener);
      pace.run(!this._isPaused);
    };
  }

  /** End all. */
  dispose(): void {
    this._quick.listeners.clear();
    this._slow.listeners.clear();
    this._quick.run(false);
    this._slow.run(false);
  }

  private readonly _quick = new Pace(QUICK_MS);
  private readonly _slow = new Pace(SLOW_MS);
  private _isPaused = false;
}
