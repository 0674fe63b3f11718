/**
 * How many logs are followed at once: each holds one of the six connections that a browser has for a server.
 */

/** That many streams leave room for everything else that a page asks. */
export const MOST_STREAMS = 2;

/** Who can be asked to let go of its stream. */
export interface IGivesWay {
  giveWay(): void;
}

/** Takes who follows; the one that has followed for longest gives way. */
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
