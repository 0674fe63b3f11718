/**
 * One clock for all ages in the panel: every second for young items, every 30 s for the rest, and paused while the panel
 * is hidden.
 */

export const QUICK_MS = 1_000;
export const SLOW_MS = 30_000;

type Listener = () => void;

/** One timer; it runs while it has listeners. */
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

/** Calls its listeners at one of two intervals. */
export class Clock {
  /** Whether the panel is hidden; when it is shown again, all listeners are called immediately. */
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

  /** Call `listener` every second or every 30 s; returns a function to unsubscribe. */
  subscribe(isQuick: boolean, listener: Listener): () => void {
    const pace = isQuick ? this._quick : this._slow;
    pace.listeners.add(listener);
    pace.run(!this._isPaused);
    return () => {
      pace.listeners.delete(listener);
      pace.run(!this._isPaused);
    };
  }

  /** Stop all timers. */
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
