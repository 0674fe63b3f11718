import { nullTranslator } from '@jupyterlab/translation';

import { LineReader, LONGEST_LINE } from '../lines';

const reader = () => new LineReader(nullTranslator.load(''));

describe('LineReader', () => {
  it('joins lines across chunks', () => {
    const read = reader();
    expect(read.read('one\ntw')).toEqual(['one']);
    expect(read.read('o\r\n\nthree')).toEqual(['two', '']);
    expect(read.rest()).toEqual(['three']);
    expect(read.rest()).toEqual([]);
  });

  it('shows escape sequences and control characters as text', () => {
    const [line] = reader().read('\u001b[31mred\u001b[0m\t<img src=x>\u202egnp\u0007\n');
    expect(line).toBe('red    <img src=x>\ufffdgnp\ufffd');
  });

  it('cuts a long line, independent of chunks, and shows its length', () => {
    const read = reader();
    for (let n = 0; n < 100; n++) {
      expect(read.read('x'.repeat(10_000))).toEqual([]);
    }
    const [line] = read.read('\nnext');
    expect(line).toBe(`${'x'.repeat(LONGEST_LINE)}… (1,000,000 characters)`);
    expect(read.rest()).toEqual(['next']);
  });
});
