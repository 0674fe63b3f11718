import type { IEngine } from '../../tokens';
import { plannedWords, planWords } from '../planline';
import { plan, trans } from './samples';

const pod = (count: number) => ({ kind: 'Pod', name: 'p', size: '', count });
const row = (resource: string, used: string, hard: string) => ({
  limit: 'quota q',
  resource,
  asked: '',
  used,
  hard,
  fits: true
});
const blueprint = {
  place: "namespace 'team-a' of context 'kind'",
  objects: [{ kind: 'ConfigMap', name: 'c', size: '', count: 1 }, pod(1), pod(2)],
  cores: '0.75',
  memory_mb: 3994,
  headroom: [] as any[],
  checked: [],
  obstacles: []
};
const spec = { driver: {}, executors: {}, conf: {}, kubernetes: { namespace: 'team-a' } };

describe('the line of a plan', () => {
  it('counts pods, cores and memory, and names the namespace', () => {
    expect(planWords(plan({ platform: 'kubernetes', spec, blueprint }), trans)).toEqual({
      line: '3 pods, 0.75 cores, 3.9 GB in team-a',
      warnings: []
    });
  });

  it('shows the remaining quota, the smallest of several', () => {
    const headroom = [
      row('requests.memory', '4.0 GB', '16.0 GB'),
      row('limits.memory', '2.0 GB', '64.0 GB'),
      row('requests.cpu', '0.5', '3'),
      row('pods', '1', '9')
    ];
    const found = planWords(plan({ spec, blueprint: { ...blueprint, headroom } }), trans);
    expect(found.line).toContain('in team-a; remaining quota: 2.5 cores, 12 GB');
  });

  it('shows cores and memory of this machine', () => {
    const outline = {
      cores: 2,
      cores_offered: 8,
      heap_mb: 1024,
      needed_mb: 1434,
      free_mb: 20480,
      total_mb: 24576
    };
    expect(planWords(plan({ outline }), trans).line).toBe(
      '2 of 8 cores, 1.4 GB of 20 GB free on this machine'
    );
  });

  it('says that Rucat starts nothing for an external engine', () => {
    const theirs = { driver: {}, executors: {}, conf: {}, external: { url: 'sc://h:1' } };
    expect(planWords(plan({ platform: 'external', spec: theirs }), trans).line).toContain(
      'sc://h:1'
    );
  });

  it('has warnings, an existing engine of the same name first', () => {
    const exists = { name: 'etl', status: 'Running' } as IEngine;
    const { warnings } = planWords(plan({ exists, warnings: ['the quota is full'] }), trans);
    expect(warnings).toEqual([
      'etl already exists (Running). Attach to it, or choose another name.',
      'the quota is full'
    ]);
  });
});

describe('an invalid request', () => {
  const wrong = { kind: 'wrong' as const, at: { a: 'is bad', b: 'is worse' }, rest: ['no store'] };

  it('shows the full error if no field shows it yet, else the label of the field', () => {
    expect(plannedWords(wrong, { a: 'is bad' }, path => path.toUpperCase(), trans)).toEqual({
      line: 'Cannot be created yet: A',
      warnings: ['B: is worse', 'no store']
    });
  });
});
