import { nullTranslator } from '@jupyterlab/translation';

import { failed, HOSTILE } from '../../__tests__/fixtures';
import type { IEvent } from '../../tokens';
import { timeline } from '../events';
import { hintOf } from '../hints';

const trans = nullTranslator.load('');

function event(kind: string, given: Partial<IEvent> = {}): IEvent {
  return {
    at: '2026-03-01T12:00:00Z',
    actor: 'monitor',
    kind,
    reason: '',
    status: 'Running',
    run: 1,
    revision: 1,
    name: 'etl',
    ...given
  };
}

const entries = (events: IEvent[], engine = undefined as any) =>
  timeline(trans, events, engine).flatMap(day => day.entries);

describe('timeline', () => {
  it('has the newest day and event first, and says of which life', () => {
    const days = timeline(
      trans,
      [
        event('create', { at: '2026-02-27T12:00:00Z' }),
        event('running'),
        event('starting', { run: 2 })
      ],
      undefined
    );
    expect(days.map(({ entries }) => entries.map(({ run }) => run))).toEqual([[2, 1], [1]]);
  });

  it.each([
    ['create', 'Created'],
    ['starting', 'Run 1 starts'],
    ['running', 'Running: it answers'],
    ['unresponsive', 'It does not answer'],
    ['answers again', 'It answers again'],
    ['condemned', 'Given up, and being ended'],
    ['failed', 'Failed'],
    ['stopped', 'Stopped'],
    ['stop', 'Stop asked for'],
    ['restart', 'Restart asked for'],
    ['delete', 'Delete asked for'],
    ['deleted', 'Deleted'],
    ['something new', 'something new: Running']
  ])('says %s in words', (kind, words) => {
    expect(entries([event(kind)])[0].what).toBe(words);
  });

  it('says who asked, and not that the monitor wrote it down', () => {
    const found = entries([event('stop', { actor: 'ada' }), event('stopped')]);
    expect(found.map(({ by }) => by)).toEqual(['', 'ada']);
  });

  it('has the hint of a failure: the engine’s own of its last one, else the reason’s', () => {
    const reason = 'OutOfMemory: the driver used all of its 2 GB';
    const own = failed('OutOfMemory', 'the driver used all', { run: 2 });
    const found = entries([event('failed', { reason }), event('failed', { reason, run: 2 })], own);
    expect(found.map(({ hint }) => hint)).toEqual(['Do something.', hintOf(trans, 'OutOfMemory')]);
    expect(found[0]).toMatchObject({ why: reason, isAlert: true });
    expect(entries([event('failed', { reason: 'New: why' })])[0].hint).toBe('');
  });

  it('shows what comes from outside as plain text', () => {
    const [found] = entries([event('stop', { actor: HOSTILE.ansi, reason: HOSTILE.rtl })]);
    expect(found).toMatchObject({ by: 'red', why: 'safe\ufffdgnp.exe' });
  });
});
