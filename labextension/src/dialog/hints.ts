/**
 * Hints next to inputs: the value of an empty input, and the limits.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IPlan, IProfile, IProfiles, Json } from '../tokens';
import type { IField } from './fields';
import { NAME } from './fields';
import { duration } from './values';

/** The gateway shows this instead of a secret. */
const MASK = '***';

/** Fields that show each limit. */
const AT: Record<string, string[]> = {
  max_driver_memory: ['driver.memory'],
  max_driver_cores: ['driver.cores'],
  max_executor_memory: ['executors.memory'],
  max_executor_cores: ['executors.cores'],
  max_executors: ['executors.instances', 'executors.max'],
  max_total_memory: ['driver.memory', 'executors.memory'],
  max_total_cores: ['driver.cores', 'executors.cores'],
  max_idle_timeout_s: ['idle_timeout_s'],
  max_lifetime_s: ['max_lifetime_s'],
  max_engines: [NAME],
  allowed_spark_versions: ['spark_version'],
  allowed_images: ['image'],
  allowed_contexts: ['kubernetes.context'],
  allowed_namespaces: ['kubernetes.namespace'],
  allowed_service_accounts: ['kubernetes.service_account', 'kubernetes.executor_service_account'],
  denied_conf: ['conf'],
  denied_env: ['env', 'secret_env'],
  own_code: ['conf']
};

/** Value of an empty field: from the profile, from a limit, or chosen by the platform in `plan`. */
export function placeholder(
  field: IField,
  profile: IProfile,
  plan: IPlan | null,
  trans: TranslationBundle
): string {
  if (field.path === NAME) {
    return plan?.name ?? profile.name;
  }
  const value =
    at(profile.spec, field.path) ?? limited(profile, field.path) ?? planned(plan, field.path);
  return value === undefined ? '' : shown(field, value, trans);
}

/** Limits of a field, each with its file: `at most 8g, /etc/jupyter/rucat.toml`. */
export function limitsOf(
  field: IField,
  limits: IProfiles['limits'],
  trans: TranslationBundle
): string[] {
  return limits
    .filter(limit => AT[limit.name]?.includes(field.path))
    .map(limit => ({ said: limitWords(limit.name, limit.value, trans), source: limit.source }))
    .filter(limit => limit.said)
    .map(limit => (limit.source ? `${limit.said}, ${limit.source}` : limit.said));
}

/** Limits of a platform, short enough for a card: `at most 8g, 4 cores`. */
export function cardLimits(
  fields: ReadonlyArray<IField>,
  limits: IProfiles['limits'],
  trans: TranslationBundle
): string {
  const paths = fields.map(field => field.path);
  const words: Record<string, (value: any) => string> = {
    max_total_memory: value => trans.__('%1 in total', value),
    max_total_cores: value => trans._n('%1 core in total', '%1 cores in total', value),
    max_driver_memory: value => trans.__('driver %1', value),
    max_driver_cores: value => trans._n('driver %1 core', 'driver %1 cores', value),
    max_executors: value => trans._n('%1 executor', '%1 executors', value)
  };
  const said = limits
    .filter(limit => words[limit.name] && AT[limit.name].some(path => paths.includes(path)))
    .map(limit => words[limit.name](limit.value));
  return said.length ? trans.__('at most %1', said.join(', ')) : '';
}

function limitWords(name: string, value: any, trans: TranslationBundle): string {
  if (name === 'own_code') {
    return value === false ? trans.__('no jars, packages, plugins or extensions') : '';
  }
  if (name.startsWith('allowed_')) {
    return trans.__('one of %1', value.join(', ') || trans.__('none'));
  }
  if (name.startsWith('denied_')) {
    return value.length ? trans.__('not allowed: %1', value.join(', ')) : '';
  }
  if (name === 'max_engines') {
    return trans._n('at most %1 engine at a time', 'at most %1 engines at a time', value);
  }
  if (name.startsWith('max_total_')) {
    return trans.__('driver and executors together at most %1', value);
  }
  return trans.__('at most %1', name.endsWith('_s') ? duration(value, trans) : value);
}

function at(spec: Json, path: string): unknown {
  const found = path.split('.').reduce<any>((part, name) => part?.[name], spec);
  const isEmpty =
    found === null || (typeof found === 'object' && found && !Object.keys(found).length);
  return isEmpty ? undefined : found;
}

/** Value that a limit sets. */
function limited(profile: IProfile, path: string): unknown {
  return profile.values.find(value => value.key === path)?.value ?? undefined;
}

/** Value chosen by the platform; user input (`given`) is not a default. */
function planned(plan: IPlan | null, path: string): unknown {
  const found = plan?.values.find(value => value.key === path);
  return found && found.source !== 'given' ? found.value : undefined;
}

function shown(field: IField, value: unknown, trans: TranslationBundle): string {
  if (value === MASK) {
    return trans.__('set by the profile');
  }
  if (field.kind === 'seconds' && typeof value === 'number') {
    return duration(value, trans);
  }
  if (Array.isArray(value) && value.every(one => typeof one === 'string')) {
    return value.join(' ');
  }
  if (typeof value === 'object' && (field.kind === 'pairs' || field.kind === 'secrets')) {
    return Object.entries(value as Json)
      .map(([key, one]) => `${key}=${one}`)
      .join(', ');
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
