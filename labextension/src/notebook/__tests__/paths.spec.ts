/** Finds the notebook of a session from paths on disk and in Jupyter's file browser. */
import { engine } from '../../__tests__/fixtures';
import type { ISession } from '../../tokens';
import { enginesOf, isNotebook } from '../paths';

describe('a session', () => {
  it.each([
    ['/home/me/work/a/b.ipynb', 'a/b.ipynb', '/home/me/work'],
    ['/home/me/work/a/b.ipynb', 'a/b.ipynb', '/home/me/work/'],
    ['/home/me/work/a/b.ipynb', 'a/b.ipynb', '~/work'],
    ['/home/me/b.ipynb', 'b.ipynb', '~'],
    ['/srv/x/b.ipynb', 'b.ipynb', ''],
    ['/home/me/work/b.ipynb', 'RTC:b.ipynb', '/home/me/work'],
    ['/Ä ö/ü.ipynb', 'ü.ipynb', '/Ä ö'],
    ['/b.ipynb', 'b.ipynb', '/']
  ])('%s is of %s below %s', (path, contents, root) => {
    expect(isNotebook(path, contents, root)).toBe(true);
  });

  it.each([
    ['/home/you/work/b.ipynb', 'b.ipynb', '/home/me/work'],
    ['/home/me/work/ab.ipynb', 'b.ipynb', '/home/me/work'],
    ['/home/me/work/x/b.ipynb', 'b.ipynb', '/home/me/work'],
    ['/home/me/other/b.ipynb', 'b.ipynb', '~/work'],
    ['script 3f', 'b.ipynb', '/home/me'],
    ['/home/me/b.ipynb', '', '/home/me']
  ])('%s is not of %s below %s', (path, contents, root) => {
    expect(isNotebook(path, contents, root)).toBe(false);
  });
});

it('engines of a notebook are those with a session of it, the latest session first', () => {
  const session = (path: string, created_at: string | null): ISession => ({
    key: '0',
    path,
    user_id: 'u',
    session_id: 's',
    is_attached: true,
    created_at
  });
  const engines = [
    engine({ name: 'old', sessions: [session('/w/a.ipynb', '2026-03-01T10:00:00Z')] }),
    engine({ name: 'new', sessions: [session('/w/a.ipynb', '2026-03-02T10:00:00Z')] }),
    engine({ name: 'other', sessions: [session('/w/b.ipynb', '2026-03-03T10:00:00Z')] }),
    engine({ name: 'unknown', sessions: [session('/w/a.ipynb', null)] })
  ];
  const names = enginesOf(engines, 'a.ipynb', '/w').map(one => one.name);
  expect(names).toEqual(['new', 'old', 'unknown']);
});
