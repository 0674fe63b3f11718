/**
 * State of the connection after a read, and the intervals of the poll.
 */
import { NO_EXTENSION, RucatError, isLoggedOut } from '../api';
import type { Connection } from '../tokens';

/** Poll interval while engines are live: a poll is one small response, which is equal while nothing changes. */
export const LOOK_MS = 6_000;
/** Poll interval while every engine is settled: only a verb changes it, and the event bus reports that. */
export const QUIET_MS = 60_000;
/** Poll interval just after an outage, while Jupyter's event bus may still be disconnected. */
export const RECOVER_MS = 1_000;
/** Duration of that phase: JupyterLab tries to reconnect to the bus at least every 30 s. */
export const RECOVERY_MS = 40_000;
/** Poll interval while something is not installed or not allowed. */
export const REFUSED_MS = 30_000;
/** Poll interval while the user is logged out: a login in another tab brings the panel back. */
export const LOGIN_MS = 3_000;
/** Pauses during an outage: the page notices within 4 s that the server is back. */
const RETRY_MS = [1_000, 2_000, 4_000];

/** The pause before retry number `tries` (from 1) of an outage. */
export function retryMs(tries: number): number {
  return RETRY_MS[Math.min(tries, RETRY_MS.length) - 1];
}

/** State of the connection after a failed read; `since`: start of the outage. */
export function judge(error: unknown, since: Date): Connection {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RucatError && error.code === NO_EXTENSION) {
    return { kind: 'missing' };
  }
  if (isLoggedOut(error) || (error instanceof RucatError && error.status === 403)) {
    return { kind: 'forbidden', message, isLoggedOut: isLoggedOut(error) };
  }
  return { kind: 'offline', since, retryAt: null, message };
}
