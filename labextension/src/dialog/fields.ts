/**
 * Converts the JSON Schema of a spec to form fields: which fields a platform has, and in which order.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Json } from '../tokens';

/** Kind of a field; each kind has its own input. */
export type Kind =
  | 'text'
  | 'password'
  | 'integer'
  /** Seconds, typed as a number or as "2 h". */
  | 'seconds'
  | 'choice'
  /** A list of strings, one per line. */
  | 'lines'
  /** Keys and values, in rows. */
  | 'pairs'
  /** As `pairs`, with hidden values. */
  | 'secrets'
  /** Anything else, as JSON. */
  | 'json';

/** One field of the form. */
export interface IField {
  /** Path in the REST API: `driver.memory`. */
  path: string;
  /** The path without dots, safe in ids and in lodash paths: `driver-memory`. */
  key: string;
  label: string;
  help: string;
  kind: Kind;
  choices: string[];
  isCommon: boolean;
  /** Section of the form. */
  group: string;
  /** JSON Schema of its value. */
  schema: Json;
}

/** Path of the name; it is not part of a spec. */
export const NAME = 'name';

/** Fields that most users set, in this order. */
const COMMON: Record<string, string[]> = {
  local: ['driver.memory', 'driver.cores', 'idle_timeout_s'],
  kubernetes: [
    'kubernetes.namespace',
    'image',
    'driver.memory',
    'executors.instances',
    'executors.memory',
    'idle_timeout_s'
  ],
  external: ['external.url', 'external.token']
};
const COMMON_ELSEWHERE = ['driver.memory', 'driver.cores', 'executors.instances', 'idle_timeout_s'];

/** Fields (with all children) that a platform rejects; see FOREIGN_FIELDS of its adapter. */
const REFUSED: Record<string, string[]> = {
  local: [
    'image',
    'executors',
    'driver.request_cores',
    'driver.limit_cores',
    'driver.memory_overhead'
  ]
};
/** The only fields of an external engine. */
const EXTERNAL_ONLY = 'external';
/** Objects of a spec that belong to the platform of the same name. */
const PLATFORM_OBJECTS = ['local', 'external', 'kubernetes'];
const PASSWORDS = ['external.token'];
const SECRETS = ['secret_env'];
/** Fields that only scripts fill in. */
const NOT_OFFERED = ['ends_with'];

/** Fields of an engine on `platform`, the common ones first; the name is not included. */
export function fieldsOf(schema: Json, platform: string, trans: TranslationBundle): IField[] {
  const common = COMMON[platform] ?? COMMON_ELSEWHERE;
  const found = walk(schema, schema, '', trans).filter(field => takes(platform, field.path));
  const rank = (field: IField) => {
    const at = common.indexOf(field.path);
    return at < 0 ? common.length : at;
  };
  return found
    .map(field => ({ ...field, isCommon: common.includes(field.path) }))
    .sort((one, other) => rank(one) - rank(other));
}

/** The field of the engine's name. */
export function nameField(trans: TranslationBundle): IField {
  return {
    path: NAME,
    key: NAME,
    label: trans.__('Name'),
    help: trans.__(
      '1 to 63 characters: letters, digits, . _ - and spaces, but no space at the start or end'
    ),
    kind: 'text',
    choices: [],
    isCommon: true,
    group: '',
    schema: { type: 'string', maxLength: 63 }
  };
}

function takes(platform: string, path: string): boolean {
  const [top] = path.split('.');
  if (NOT_OFFERED.includes(top)) {
    return false;
  }
  if (platform === EXTERNAL_ONLY) {
    return top === EXTERNAL_ONLY;
  }
  if (PLATFORM_OBJECTS.includes(top) && top !== platform) {
    return false;
  }
  return !(REFUSED[platform] ?? []).some(name => path === name || path.startsWith(`${name}.`));
}

function walk(part: Json, whole: Json, prefix: string, trans: TranslationBundle): IField[] {
  return Object.entries<Json>(part.properties ?? {}).flatMap(([name, raw]) => {
    const path = prefix + name;
    const schema = resolved(raw, whole);
    if (schema.type === 'object' && schema.properties) {
      return walk(schema, whole, `${path}.`, trans);
    }
    return [field(path, schema, raw.description ?? schema.description ?? '', trans)];
  });
}

function field(path: string, schema: Json, help: string, trans: TranslationBundle): IField {
  return {
    path,
    key: path.replace(/\./g, '-'),
    label: labels(trans)[path] ?? plainLabel(path),
    help,
    kind: kindOf(path, schema),
    choices: (schema.enum ?? []).map(String),
    isCommon: false,
    group: groupOf(path, trans),
    schema
  };
}

/** Resolve references, and choose the alternative that is not null. */
function resolved(raw: Json, whole: Json): Json {
  const options: Json[] = (raw.anyOf ?? raw.allOf ?? []).filter((one: Json) => one.type !== 'null');
  if (options.length === 1) {
    return resolved(options[0], whole);
  }
  if (typeof raw.$ref === 'string') {
    return resolved(whole.$defs?.[raw.$ref.split('/').pop()!] ?? {}, whole);
  }
  return raw;
}

function kindOf(path: string, schema: Json): Kind {
  if (PASSWORDS.includes(path)) {
    return 'password';
  }
  if (schema.enum) {
    return 'choice';
  }
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'integer':
      return path.endsWith('_s') ? 'seconds' : 'integer';
    case 'boolean':
      return 'choice';
    case 'array':
      return schema.items?.type === 'string' ? 'lines' : 'json';
    case 'object':
      return pairsOf(path, schema);
    default:
      return 'json';
  }
}

function pairsOf(path: string, schema: Json): Kind {
  if (schema.additionalProperties?.type !== 'string') {
    return 'json';
  }
  return SECRETS.includes(path) ? 'secrets' : 'pairs';
}

function plainLabel(path: string): string {
  const words = path.replace(/^kubernetes\.|^local\.|^external\./, '').replace(/[._]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function labels(trans: TranslationBundle): Record<string, string> {
  return {
    conf: trans.__('Spark conf'),
    env: trans.__('Environment variables'),
    secret_env: trans.__('Secret environment variables'),
    image: trans.__('Image'),
    idle_timeout_s: trans.__('Idle timeout'),
    max_lifetime_s: trans.__('Maximum lifetime'),
    start_timeout_s: trans.__('Start timeout'),
    'driver.memory': trans.__('Driver memory'),
    'driver.cores': trans.__('Driver cores'),
    'executors.instances': trans.__('Executors'),
    'executors.memory': trans.__('Executor memory'),
    'executors.cores': trans.__('Executor cores'),
    'executors.min': trans.__('Minimum executors'),
    'executors.max': trans.__('Maximum executors'),
    'external.url': trans.__('Address'),
    'external.token': trans.__('Token'),
    'kubernetes.python': trans.__('Python in the image'),
    'local.directory': trans.__('Working directory')
  };
}

function groupOf(path: string, trans: TranslationBundle): string {
  const [top] = path.split('.');
  const named: Record<string, string> = {
    driver: trans.__('Driver'),
    executors: trans.__('Executors'),
    kubernetes: trans.__('Kubernetes'),
    local: trans.__('This machine'),
    external: trans.__('External engine'),
    env: trans.__('Environment'),
    secret_env: trans.__('Environment'),
    start_timeout_s: trans.__('Timeouts'),
    idle_timeout_s: trans.__('Timeouts'),
    max_lifetime_s: trans.__('Timeouts'),
    restart_policy: trans.__('Timeouts')
  };
  return named[top] ?? trans.__('Spark');
}
