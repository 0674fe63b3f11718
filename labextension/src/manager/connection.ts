/**
 * How the list stands to the truth, from what reading it came to; and when to look again.
 */
import { NO_EXTENSION, RucatError } from '../api';
import type { Connection } from '../tokens';

/** Between two looks while engines live: a look is one small answer, equal as long as nothing changes. */
export const LOOK_MS = 6_000;
/** Between two looks while every engine is settled: nothing changes but by a verb, and that is on the event bus. */
export const QUIET_MS = 60_000;
/** Between two looks just after an outage, while Jupyter's event bus may not be back. */
export const RECOVER_MS = 1_000;
/** How long that is: JupyterLab's own tries to reach the bus are at most 30 s apart. */
export const RECOVERY_MS = 40_000;
/** Between two looks where something is not installed or not allowed. */
export const REFUSED_MS = 30_000;
/** The first pause of an outage doubles up to the last: a server that is back is seen within 4 s. */
const RETRY_MS = [1_000, 2_000, 4_000];

/** The pause before look number `tries` (from 1) of an outage. */
export function retryMs(tries: number): number {
  return RETRY_MS[Math.min(tries, RETRY_MS.length) - 1];
}

/** What a failed look says of the connection; `since` when it began to fail. */
export function judge(error: unknown, since: Date): Connection {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RucatError && error.code === NO_EXTENSION) {
    return { kind: 'missing' };
  }
  if (error instanceof RucatError && (error.status === 401 || error.status === 403)) {
    return { kind: 'forbidden', message };
  }
  return { kind: 'offline', since, retryAt: null, message };
}
