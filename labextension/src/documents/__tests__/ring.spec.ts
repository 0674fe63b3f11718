import { MAX_BYTES, Ring } from '../ring';

const LINE = 'x'.repeat(140);

describe('Ring', () => {
  it('keeps the last lines of 100 MB within its limit', () => {
    const ring = new Ring();
    const count = Math.ceil(100_000_000 / LINE.length);
    for (let n = 0; n < count; n++) {
      ring.push(LINE);
    }
    expect(ring.bytes).toBeLessThanOrEqual(MAX_BYTES);
    expect(MAX_BYTES).toBeLessThan(5_000_000);
    expect(ring.end).toBe(count);
    expect(ring.length).toBeGreaterThan(5_000);
    expect(ring.end - ring.first).toBe(ring.length);
  });

  it('never changes the number of a line', () => {
    const ring = new Ring(10 * (2 * 5 + 56));
    for (let n = 0; n < 5_000; n++) {
      ring.push(`${n}`.padStart(5, '0'));
    }
    expect(ring.length).toBe(10);
    expect(ring.at(ring.first).text).toBe('04990');
    expect(ring.at(ring.end - 1).text).toBe('04999');
  });

  it('keeps one line that is larger than the limit', () => {
    const ring = new Ring(100);
    ring.push('short');
    ring.push('y'.repeat(1000));
    expect([ring.length, ring.at(ring.first).text.length]).toEqual([1, 1000]);
  });

  it('continues counting after a clear', () => {
    const ring = new Ring();
    ring.push('one');
    ring.clear();
    expect([ring.first, ring.end, ring.bytes]).toEqual([1, 1, 0]);
    ring.push('two', true);
    expect(ring.at(1)).toEqual({ text: 'two', isNote: true });
  });
});
