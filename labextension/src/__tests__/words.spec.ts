/**
 * Texts about engines.
 */
import { nullTranslator } from '@jupyterlab/translation';

import * as words from '../words';
import { engine, failed, HOSTILE, NOW } from './fixtures';

const trans = nullTranslator.load('test');

describe('formatting', () => {
  it.each([
    [0, '0 s'],
    [59.9, '59 s'],
    [60, '1 min'],
    [3599, '59 min'],
    [7200, '2 h'],
    [200_000, '2 d'],
    [-5, '0 s']
  ])('a duration of %d seconds is %s', (seconds, expected) => {
    expect(words.duration(seconds)).toBe(expected);
  });

  it.each([
    [12, '12 s'],
    [7860, '2 h 11 min'],
    [7200, '2 h'],
    [90_000, '1 d 1 h']
  ])('a span of %d seconds is %s', (seconds, expected) => {
    expect(words.span(seconds)).toBe(expected);
  });

  it.each([
    ['4g', '4 GB'],
    ['2048m', '2 GB'],
    ['1500M', '1500 MB'],
    ['1t', '1024 GB'],
    ['512k', '0.5 MB'],
    [null, ''],
    ['much', '0 MB']
  ])('memory %s is %s', (text, expected) => {
    expect(words.memory(text)).toBe(expected);
  });

  it.each([
    ['etl', 'etl'],
    ['two words', "'two words'"],
    ["it's", `'it'"'"'s'`],
    ['größe', "'größe'"],
    ['a\nb', "'a b'"]
  ])('the name %s is typed as %s', (name, expected) => {
    expect(words.quoted(name)).toBe(expected);
  });

  it('shows the date if it is not today', () => {
    const now = new Date(2026, 2, 1, 12, 0, 0).getTime();
    expect(words.clock(new Date(2026, 2, 1, 9, 5, 6), now)).toBe('09:05:06');
    expect(words.clock(new Date(2026, 1, 28, 9, 5, 6), now)).toBe('2026-02-28 09:05:06');
  });
});

describe('text from outside', () => {
  it.each([
    [HOSTILE.ansi, 'red'],
    ['\u001b]0;title\u0007done', 'done'],
    ['\u001b]8;;http://x\u001b\\link', 'link'],
    [HOSTILE.rtl, 'safe\ufffdgnp.exe'],
    ['a\tb\r\nc', 'a b  c'],
    ['nul\u0000', 'nul\ufffd'],
    [HOSTILE.html, HOSTILE.html],
    [null, '']
  ])('%j is shown as %j', (text, expected) => {
    expect(words.plain(text)).toBe(expected);
  });

  it('is cut between characters, never within one', () => {
    expect(words.plain('😀😀😀😀', 3)).toBe('😀😀…');
    expect(words.plain('abcd', 4)).toBe('abcd');
    expect(words.plain('😀😀', 3)).toBe('😀😀');
  });
});

describe('parts of an engine', () => {
  const cluster = engine({
    platform: 'kubernetes',
    spec: {
      driver: { cores: 1, memory: '1g' },
      executors: { instances: 2, cores: 1, memory: '1g' },
      conf: {},
      kubernetes: { namespace: 'team-a' }
    },
    executors: { wanted: 2, running: 1, pending: 1, failed: 0, reasons: ['no room\u001b[0m'] }
  });

  it('says where it runs', () => {
    expect(words.where(trans, engine())).toBe('this machine');
    expect(words.where(trans, cluster)).toBe('kubernetes/team-a');
    const external = engine({
      platform: 'external',
      endpoint: { url: 'sc://h:1/;x=y', ui_url: null }
    });
    expect(words.where(trans, external)).toBe('h:1');
  });

  it('lists its resources', () => {
    expect(words.resources(trans, engine())).toBe('driver 2 cores 2 GB');
    expect(words.resources(trans, cluster)).toBe('driver 1 core 1 GB, 2 executors × 1 core 1 GB');
    expect(words.executors(trans, cluster)).toBe('executors 1 of 2 × 1 core 1 GB');
    const dynamic = { ...cluster.spec, executors: { min: 0, max: 10, cores: 2 } };
    expect(words.resources(trans, { ...cluster, spec: dynamic })).toContain(
      '0-10 executors × 2 cores'
    );
  });

  it('counts the age from the start while it is live, and from the end when it is settled', () => {
    expect(words.age(engine(), NOW)).toBe('1 h');
    expect(words.age(failed('Exited', ''), NOW)).toBe('3 min');
    expect(words.age(engine({ status: 'Pending', started_at: null }), NOW)).toBe('2 h');
  });

  it.each([
    ['why it failed', failed('OutOfMemory', 'It was all used.'), 'OutOfMemory: It was all used.'],
    ['what it waits for', engine({ status: 'Pending', message: 'pulling' }), 'pulling'],
    ['which executors lack', cluster, 'executors 1 of 2: 1 pending: no room'],
    ['how many notebooks', engine({ sessions: [{}, {}] as any }), '2 notebooks'],
    [
      'no notebooks that have ended',
      engine({ sessions: [{ is_attached: false }, { is_attached: true }] as any }),
      '1 notebook'
    ],
    ['nothing', engine(), '']
  ])('notes %s', (_, found, expected) => {
    expect(words.note(trans, found)).toBe(expected);
  });

  it('says when it stops automatically', () => {
    expect(words.idleStop(trans, engine(), NOW)).toBe('idle stop in 56 min');
    expect(words.idleStop(trans, engine({ status: 'Stopped' }), NOW)).toBe('');
    const short = engine({ spec: { ...engine().spec, max_lifetime_s: 43_200 } });
    expect(words.lifetimeEnd(trans, short, NOW)).toBe('ends in 10 h, at its longest lifetime');
  });

  it.each([
    ['2g', '4g'],
    ['1500m', '3000m'],
    ['512m', '1g']
  ])('offers twice as much memory if %s was not enough: %s', (has, expected) => {
    const found = failed('OutOfMemory', '', {
      spec: { ...engine().spec, driver: { memory: has } }
    });
    expect(words.moreMemory(found)).toBe(expected);
    expect(
      words.moreMemory({ ...found, failure: { ...found.failure!, reason: 'Exited' } })
    ).toBeNull();
  });
});

describe('operations', () => {
  const operation = {
    notebook: 'work/etl.ipynb',
    cell: 7,
    tasks: 200,
    tasks_done: 86,
    started_at: '2026-03-01T11:58:46Z'
  } as any;

  it('shows origin, progress and duration', () => {
    expect(words.origin(trans, operation)).toBe('etl.ipynb, cell 7');
    expect(words.origin(trans, { ...operation, notebook: '', cell: null })).toBe('someone');
    expect(words.percent(operation)).toBe(43);
    expect(words.percent({ ...operation, tasks: null })).toBeNull();
    expect(words.elapsed(operation.started_at, NOW)).toBe('1:14');
    expect(words.elapsed(null, NOW)).toBe('');
  });
});
