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
  it('has the newest day and event first, and shows the run', () => {
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
    ['running', 'Running: the engine responds'],
    ['unresponsive', 'The engine does not respond'],
    ['answers again', 'The engine responds again'],
    ['condemned', 'Marked as failed; Rucat shuts it down'],
    ['failed', 'Failed'],
    ['stopped', 'Stopped'],
    ['stop', 'Stop requested'],
    ['restart', 'Restart requested'],
    ['delete', 'Delete requested'],
    ['deleted', 'Deleted'],
    ['something new', 'something new: Running']
  ])('describes %s', (kind, words) => {
    expect(entries([event(kind)])[0].what).toBe(words);
  });

  it('shows which user asked, and never the monitor', () => {
    const found = entries([event('stop', { actor: 'ada' }), event('stopped')]);
    expect(found.map(({ by }) => by)).toEqual(['', 'ada']);
  });

  it('has the hint of a failure: from the engine for its latest one, else by reason', () => {
    const reason = 'OutOfMemory: the driver used all of its 2 GB';
    const own = failed('OutOfMemory', 'the driver used all', { run: 2 });
    const found = entries([event('failed', { reason }), event('failed', { reason, run: 2 })], own);
    expect(found.map(({ hint }) => hint)).toEqual(['Do something.', hintOf(trans, 'OutOfMemory')]);
    expect(found[0]).toMatchObject({ why: reason, isAlert: true });
    expect(entries([event('failed', { reason: 'New: why' })])[0].hint).toBe('');
  });

  it('shows untrusted content as plain text', () => {
    const [found] = entries([event('stop', { actor: HOSTILE.ansi, reason: HOSTILE.rtl })]);
    expect(found).toMatchObject({ by: 'red', why: 'safe\ufffdgnp.exe' });
  });
});
