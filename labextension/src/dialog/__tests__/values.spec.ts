import { duration, requestOf, valueOf, WrongValue } from '../values';
import { byPath, trans } from './samples';

const local = byPath('local');
const pods = byPath('kubernetes');

function wrong(path: string, typed: any, fields = local): string {
  try {
    valueOf(fields[path], typed, trans);
  } catch (error) {
    expect(error).toBeInstanceOf(WrongValue);
    return (error as Error).message;
  }
  throw new Error('it is taken');
}

describe('a request', () => {
  it('contains only what was set, nested as in REST, numbers as numbers', () => {
    const typed = {
      name: ' etl ',
      'driver.memory': ' 4g ',
      'driver.cores': '2',
      idle_timeout_s: '30 min',
      start_timeout_s: '',
      java_options: '-Xss8m\n\n -XX:+UseZGC ',
      restart_policy: 'on_failure',
      conf: [
        { key: ' spark.a ', value: ' b=c ' },
        { key: '', value: '' },
        { key: 'spark.d.e', value: '' }
      ]
    };
    expect(requestOf(Object.values(local), typed, trans)).toEqual({
      wrong: {},
      request: {
        name: 'etl',
        driver: { memory: '4g', cores: 2 },
        idle_timeout_s: 1800,
        java_options: ['-Xss8m', '-XX:+UseZGC'],
        restart_policy: 'on_failure',
        conf: { 'spark.a': ' b=c ', 'spark.d.e': '' }
      }
    });
  });

  it('contains no input for another platform', () => {
    const typed = { 'executors.instances': '3', 'kubernetes.namespace': 'team-a' };
    expect(requestOf(Object.values(local), typed, trans).request).toEqual({});
    expect(requestOf(Object.values(pods), typed, trans).request).toEqual({
      executors: { instances: 3 },
      kubernetes: { namespace: 'team-a' }
    });
  });

  it('keeps keys with a meaning in JavaScript as plain keys', () => {
    const { request } = requestOf(
      [local['env']],
      { env: [{ key: '__proto__', value: 'x' }] },
      trans
    );
    expect(JSON.stringify(request)).toBe('{"env":{"__proto__":"x"}}');
  });

  it('does not change a secret', () => {
    expect(valueOf(byPath('external')['external.token'], ' s ', trans)).toBe(' s ');
  });
});

describe('times', () => {
  it.each([
    ['600', 600],
    ['90s', 90],
    ['30 min', 1800],
    ['1.5 h', 5400],
    ['2 days', 172800],
    ['Never', 0],
    ['0', 0]
  ])('are parsed: %s', (typed, seconds) => {
    expect(valueOf(local['idle_timeout_s'], typed, trans)).toBe(seconds);
  });

  it.each([
    [0, 'never'],
    [90, '90 s'],
    [1800, '30 min'],
    [3600, '1 h'],
    [86400, '1 d']
  ])('are formatted: %d', (seconds, said) => {
    expect(duration(seconds, trans)).toBe(said);
  });
});

describe('invalid input has a message', () => {
  it.each([
    ['driver.memory', '4 gigs', "must be a size such as '512m' or '4g'"],
    ['driver.cores', 'two', 'must be a whole number'],
    ['driver.cores', '1.5', 'must be a whole number'],
    ['driver.cores', '99999999999999999999', 'must be a whole number'],
    ['driver.cores', '0', 'must be at least 1'],
    ['driver.cores', '10001', 'must be at most 10,000'],
    ['idle_timeout_s', 'soon', "must be a time such as '30 min' or '2 h'"],
    ['idle_timeout_s', '366 days', 'must be at most 365 d'],
    ['spark_version', 'four', "must be a release such as '4.3.0'"],
    ['name', 'x'.repeat(64), 'must have at most 63 characters'],
    ['conf', [{ key: '', value: 'x' }], 'a value has no key'],
    [
      'conf',
      [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' }
      ],
      'a is set twice'
    ]
  ])('%s: %j', (path, typed, said) => {
    expect(wrong(path, typed)).toBe(said);
  });

  it('for JSON', () => {
    expect(wrong('kubernetes.tolerations', '[{', pods)).toMatch(/^is not JSON: /);
    expect(wrong('kubernetes.tolerations', '{}', pods)).toBe('must be a list, in [ ]');
    expect(wrong('kubernetes.tolerations', '[1]', pods)).toBe('0: must be an object, in { }');
    expect(wrong('driver.request_cores', 'x', pods)).toBe(
      "must be a Kubernetes quantity such as '250m' or '2'"
    );
  });
});
