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
  it('are on this machine those that it takes, memory, cores and idle stop first', () => {
    expect(common('local')).toEqual(['driver.memory', 'driver.cores', 'idle_timeout_s']);
    expect(paths('local').slice(0, 3)).toEqual(common('local'));
    expect(paths('local')).toEqual(
      expect.arrayContaining(['conf', 'env', 'secret_env', 'java_options', 'local.directory'])
    );
    expect(
      paths('local').filter(path => /^(executors|image|kubernetes|external)/.test(path))
    ).toEqual([]);
  });

  it('are on Kubernetes namespace and image, sizes and number of executors first', () => {
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

  it('are of an external engine its address and token, and nothing else', () => {
    expect(paths('external')).toEqual(['external.url', 'external.token']);
    expect(byPath('external')['external.token'].kind).toBe('password');
  });

  it('are all that there are, once each, on a platform of somebody else', () => {
    expect(common('theirs')).toContain('executors.instances');
    expect(new Set(paths('theirs')).size).toBe(paths('theirs').length);
  });

  it('have the kind that their schema says', () => {
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
  it('finds fields by label, path and meaning, and a Spark conf by its key', () => {
    const { conf, java_options: options } = byPath('local');
    expect(matches(options, 'java OPT')).toBe(true);
    expect(matches(options, 'allow-list')).toBe(true);
    expect(matches(options, 'shuffle')).toBe(false);
    expect(matches(conf, 'spark.sql.shuffle')).toBe(true);
  });

  it('finds settings of Spark by key and by documentation, those by key first', () => {
    const [a, b, c] = [conf('spark.a', 'Shuffles.'), conf('spark.shuffle.b'), conf('spark.c')];
    expect(findConfs([a, b, c], 'Shuffle')).toEqual([b, a]);
    expect(findConfs([a, b, c], 'shuffle spark.a')).toEqual([a]);
    expect(findConfs([a, b, c], 'sp')).toEqual([]);
  });
});
