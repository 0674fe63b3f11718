import { findConfs } from '../confs';
import { fieldsOf } from '../fields';
import { formOf, matches } from '../form';
import { byPath, conf, SCHEMA, trans } from './samples';

const paths = (platform: string) => fieldsOf(SCHEMA, platform, trans).map(field => field.path);
const common = (platform: string) =>
  fieldsOf(SCHEMA, platform, trans)
    .filter(field => field.isCommon)
    .map(field => field.path);

describe('the fields of a platform', () => {
  it('are those of the local platform, memory, cores and idle timeout first', () => {
    expect(common('local')).toEqual(['driver.memory', 'driver.cores', 'idle_timeout_s']);
    expect(paths('local').slice(0, 3)).toEqual(common('local'));
    expect(paths('local')).toEqual(
      expect.arrayContaining(['conf', 'env', 'secret_env', 'java_options', 'local.directory'])
    );
    expect(
      paths('local').filter(path => /^(executors|image|kubernetes|external)/.test(path))
    ).toEqual([]);
  });

  it('begin with namespace, image, sizes and executors on Kubernetes', () => {
    expect(common('kubernetes')).toEqual([
      'kubernetes.namespace',
      'image',
      'driver.memory',
      'executors.instances',
      'executors.memory',
      'idle_timeout_s'
    ]);
    expect(paths('kubernetes')).toContain('kubernetes.tolerations');
    expect(paths('kubernetes').some(path => path.startsWith('local.'))).toBe(false);
  });

  it('are only address and token for an external engine', () => {
    expect(paths('external')).toEqual(['external.url', 'external.token']);
    expect(byPath('external')['external.token'].kind).toBe('password');
  });

  it('are all fields, once each, on the platform of a third party', () => {
    expect(common('theirs')).toContain('executors.instances');
    expect(new Set(paths('theirs')).size).toBe(paths('theirs').length);
  });

  it('have the kind of their schema', () => {
    const local = byPath('local');
    const pods = byPath('kubernetes');
    expect(local['driver.cores'].kind).toBe('integer');
    expect(local['driver.memory'].kind).toBe('text');
    expect(local['idle_timeout_s'].kind).toBe('seconds');
    expect(local['conf'].kind).toBe('pairs');
    expect(local['secret_env'].kind).toBe('secrets');
    expect(local['java_options'].kind).toBe('lines');
    expect(local['restart_policy']).toMatchObject({
      kind: 'choice',
      choices: ['never', 'on_failure']
    });
    expect(pods['kubernetes.tolerations'].kind).toBe('json');
    expect(pods['kubernetes.labels'].kind).toBe('pairs');
  });
});

describe('the form of the fields', () => {
  it('holds text, and rows of keys and values, under keys without dots', () => {
    const { schema } = formOf(Object.values(byPath('local')));
    expect(schema.properties!['driver-memory']).toMatchObject({
      type: 'string',
      title: 'Driver memory'
    });
    expect(schema.properties!['conf']).toMatchObject({ type: 'array' });
  });
});

describe('the search', () => {
  it('finds fields by label, path and help, and a Spark conf by its key', () => {
    const { conf, java_options: options } = byPath('local');
    expect(matches(options, 'java OPT')).toBe(true);
    expect(matches(options, 'list of ALLOWED')).toBe(true);
    expect(matches(options, 'shuffle')).toBe(false);
    expect(matches(conf, 'spark.sql.shuffle')).toBe(true);
  });

  it('finds Spark settings by key and documentation, matches of the key first', () => {
    const [a, b, c] = [conf('spark.a', 'Shuffles.'), conf('spark.shuffle.b'), conf('spark.c')];
    expect(findConfs([a, b, c], 'Shuffle')).toEqual([b, a]);
    expect(findConfs([a, b, c], 'shuffle spark.a')).toEqual([a]);
    expect(findConfs([a, b, c], 'sp')).toEqual([]);
  });
});
