/**
 * Responses of the gateway for tests of the dialog; the schema of a spec is the real one (tests/unit/test_labextension.py).
 */
import { nullTranslator } from '@jupyterlab/translation';

import type { IConf, IPlan, IProfile, IProfiles } from '../../tokens';
import type { IField } from '../fields';
import { fieldsOf, nameField } from '../fields';
import fields from './spec.schema.json';

export const trans = nullTranslator.load('rucat-jupyter');

export const SCHEMA = fields;

/** The fields of a platform by path, the name included. */
export function byPath(platform: string): Record<string, IField> {
  const all = [nameField(trans), ...fieldsOf(SCHEMA, platform, trans)];
  return Object.fromEntries(all.map(field => [field.path, field]));
}

export function profile(name: string, platform: string, more: Partial<IProfile> = {}): IProfile {
  return {
    name,
    platform,
    description: '',
    spec: {},
    sources: ['built in'],
    available: true,
    chain: [name],
    where: platform === 'local' ? 'this machine' : platform,
    size: '',
    values: [],
    ...more
  };
}

export function profiles(more: Partial<IProfiles> = {}): IProfiles {
  return {
    profiles: [
      profile('k8s-small', 'kubernetes', {
        size: 'driver 1 core 1 GB, 2 executors × 1 core 1 GB',
        spec: { driver: { memory: '1g' }, executors: { instances: 2 } }
      }),
      profile('local', 'local', { spec: { idle_timeout_s: 7200, conf: { 'spark.a': 'b' } } }),
      profile('theirs', 'external')
    ],
    default: 'local',
    platforms: ['external', 'kubernetes', 'local'],
    errors: [],
    limits: [],
    fields: SCHEMA,
    ...more
  };
}

export function plan(more: Partial<IPlan> = {}): IPlan {
  return {
    name: 'local',
    platform: 'local',
    profile: 'local',
    site: 'here',
    spec: { driver: {}, executors: {}, conf: {} },
    spark_version: '4.3.0',
    python_version: '3.12',
    values: [],
    conf: [],
    outline: null,
    blueprint: null,
    exists: null,
    warnings: [],
    ...more
  };
}

export function conf(key: string, doc = ''): IConf {
  return { key, default: '200', kind: 'int', doc, since: '4.0.0' };
}
