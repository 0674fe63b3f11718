/**
 * Compares notebook paths of Jupyter (relative to the root of the server) with those of kernels (absolute).
 */
import type { IEngine } from '../tokens';

/**
 * Whether the path of a session is that of a notebook.
 *
 * The kernel sends an absolute path. The page config contains the root of the server, but with `~` for the home folder;
 * without a root, the end of the path decides.
 */
export function isNotebook(sessionPath: string, contentsPath: string, root: string): boolean {
  const local = contentsPath.replace(/^[^:/]+:/, ''); // name of a drive
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
