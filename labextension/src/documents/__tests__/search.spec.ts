import { Ring } from '../ring';
import { MOST, Search } from '../search';

function ringOf(lines: string[], maxBytes?: number): Ring {
  const ring = new Ring(maxBytes);
  lines.forEach(line => ring.push(line));
  return ring;
}

describe('Search', () => {
  it('finds all matches, case-insensitive', () => {
    const search = new Search(ringOf(['Error: error', 'fine', 'ERROR']));
    search.ask('error');
    expect(search.matches).toEqual([
      { line: 0, at: 0 },
      { line: 0, at: 7 },
      { line: 2, at: 0 }
    ]);
  });

  it('treats the text literally, not as a pattern', () => {
    const search = new Search(ringOf(['a.c', 'abc', '(x']));
    search.ask('a.c');
    expect(search.matches).toEqual([{ line: 0, at: 0 }]);
    search.ask('(x');
    expect(search.matches).toHaveLength(1);
  });

  it('steps forward and back, wraps around, and starts at the visible line', () => {
    const search = new Search(ringOf(['x', '-', 'x', 'x']));
    search.ask('x');
    expect(search.step(1, 1)).toEqual({ line: 2, at: 0 });
    expect(search.step(1, 1)).toEqual({ line: 3, at: 0 });
    expect(search.step(1, 1)).toEqual({ line: 0, at: 0 });
    expect(search.step(-1, 1)).toEqual({ line: 3, at: 0 });
    search.ask('nothing');
    expect(search.step(1, 0)).toBeNull();
  });

  it('follows added and dropped lines, and keeps the current match', () => {
    const ring = ringOf(['x1', 'x2', 'x3'], 3 * (2 * 2 + 56));
    const search = new Search(ring);
    search.ask('x');
    search.step(1, 2);
    ring.push('x4');
    search.update();
    expect(search.matches.map(({ line }) => line)).toEqual([1, 2, 3]);
    expect(search.matches[search.current].line).toBe(2);
    ring.clear();
    search.update();
    expect([search.matches.length, search.current]).toEqual([0, -1]);
  });

  it('limits the number of matches', () => {
    const search = new Search(ringOf([`${'a'.repeat(MOST)}a`]));
    search.ask('a');
    expect([search.matches.length, search.isCut]).toEqual([MOST, true]);
  });
});
