/**
 * Notebooks as Jupyter names them (below the server's root) and as kernels name them to engines (on the disk).
 */
import type { IEngine } from '../tokens';

/**
 * Whether a session's path is that of a notebook.
 *
 * The kernel tells the path on the disk. Jupyter tells pages its root, but shortens the home folder to `~`; where it
 * tells none, the path's end decides.
 */
export function isNotebook(sessionPath: string, contentsPath: string, root: string): boolean {
  const local = contentsPath.replace(/^[^:/]+:/, ''); // a drive's name
  const tail = '/' + local;
  if (!local || !sessionPath.endsWith(tail)) {
    return false;
  }
  const before = sessionPath.slice(0, -tail.length);
  const known = root.replace(/\/+$/, '');
  return known.startsWith('~') ? before.endsWith(known.slice(1)) : known === '' || known === before;
}

/** The engines on which a notebook has a session, the latest session first. */
export function enginesOf(
  engines: ReadonlyArray<IEngine>,
  contentsPath: string,
  root: string
): IEngine[] {
  const found = engines.flatMap(engine =>
    engine.sessions
      .filter(session => isNotebook(session.path, contentsPath, root))
      .map(session => ({ engine, at: session.created_at ?? '' }))
  );
  found.sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
  return [...new Set(found.map(({ engine }) => engine))];
}
