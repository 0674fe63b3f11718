/**
 * Limits how many logs are followed at the same time: each uses one of the six connections of a browser to a server.
 */

/** With this many streams enough connections stay free for other requests. */
export const MOST_STREAMS = 2;

/** A view that can close its stream. */
export interface IGivesWay {
  giveWay(): void;
}

/** Registers the views that follow a log; the oldest one gives way to a new one. */
export class Slots {
  enter(newcomer: IGivesWay): void {
    this._taken.delete(newcomer);
    this._taken.add(newcomer);
    for (const oldest of this._taken) {
      if (this._taken.size <= MOST_STREAMS) {
        return;
      }
      this._taken.delete(oldest);
      oldest.giveWay();
    }
  }

  leave(who: IGivesWay): void {
    this._taken.delete(who);
  }

  private readonly _taken = new Set<IGivesWay>();
}
