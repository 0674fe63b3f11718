import { cardLimits, limitsOf, placeholder } from '../hints';
import { byPath, plan, profile, trans } from './samples';

const local = byPath('local');
const pods = byPath('kubernetes');
const FILE = '/etc/jupyter/rucat.toml';
const limit = (name: string, value: any) => ({ name, value, source: FILE, description: '' });
const said = (path: string, ...limits: any[]) => limitsOf(pods[path], limits, trans);

describe('an empty input shows', () => {
  it('the value of the profile, with times and rows as text', () => {
    const spec = { driver: { memory: '2g' }, idle_timeout_s: 7200, conf: { 'spark.a': 'b' } };
    const mine = profile('mine', 'local', { spec });
    expect(placeholder(local['driver.memory'], mine, null, trans)).toBe('2g');
    expect(placeholder(local['idle_timeout_s'], mine, null, trans)).toBe('2 h');
    expect(placeholder(local['conf'], mine, null, trans)).toBe('spark.a=b');
    expect(placeholder(local['driver.cores'], mine, null, trans)).toBe('');
  });

  it('the value of a limit, and what the platform chooses, never user input', () => {
    const filled = { key: 'idle_timeout_s', value: 600, source: 'limits', profile: '', note: '' };
    const mine = profile('mine', 'local', { values: [filled] });
    const chosen = plan({
      name: 'mine-2',
      values: [
        { key: 'driver.memory', value: '1024m', source: 'chosen for this machine' },
        { key: 'driver.cores', value: 7, source: 'given' }
      ]
    });
    expect(placeholder(local['idle_timeout_s'], mine, null, trans)).toBe('10 min');
    expect(placeholder(local['driver.memory'], mine, chosen, trans)).toBe('1024m');
    expect(placeholder(local['driver.cores'], mine, chosen, trans)).toBe('');
    expect(placeholder(local['name'], mine, chosen, trans)).toBe('mine-2');
  });

  it('that a secret is set, not its mask', () => {
    const theirs = profile('theirs', 'external', { spec: { external: { token: '***' } } });
    expect(placeholder(byPath('external')['external.token'], theirs, null, trans)).toBe(
      'set by the profile'
    );
  });
});

describe('limits are shown at their fields', () => {
  it('with their files', () => {
    expect(said('driver.memory', limit('max_driver_memory', '8g'))).toEqual([
      `at most 8g, ${FILE}`
    ]);
    expect(said('idle_timeout_s', limit('max_idle_timeout_s', 3600))).toEqual([
      `at most 1 h, ${FILE}`
    ]);
    expect(said('executors.max', limit('max_executors', 4))).toEqual([`at most 4, ${FILE}`]);
    expect(said('driver.memory', limit('max_executors', 4))).toEqual([]);
  });

  it('at both fields of a shared limit, for lists, and for denied keys', () => {
    const total = limit('max_total_memory', '9g');
    expect(said('driver.memory', total)).toEqual(said('executors.memory', total));
    expect(said('image', limit('allowed_images', ['a/*', 'b']))).toEqual([
      `one of a/*, b, ${FILE}`
    ]);
    expect(said('conf', limit('denied_conf', ['spark.x*']))).toEqual([
      `not allowed: spark.x*, ${FILE}`
    ]);
    expect(said('conf', limit('own_code', true))).toEqual([]);
  });

  it('in short on cards, only those of the platform', () => {
    const limits = [limit('max_driver_memory', '8g'), limit('max_executors', 4)];
    expect(cardLimits(Object.values(local), limits, trans)).toBe('at most driver 8g');
    expect(cardLimits(Object.values(pods), limits, trans)).toBe('at most driver 8g, 4 executors');
    expect(cardLimits(Object.values(byPath('external')), limits, trans)).toBe('');
  });
});
