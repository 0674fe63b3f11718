/**
 * Converts user input to the values of a request, with a message for invalid input.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import validator from '@rjsf/validator-ajv8';

import type { ICreate, Json } from '../tokens';
import type { IField } from './fields';

/** A row of keys and values. */
export interface IRow {
  key: string;
  value: string;
}

/** Input of a field: text, or rows. */
export type Typed = string | IRow[];

/** User input, by field path. */
export type AllTyped = Record<string, Typed | undefined>;

/** Error messages, by field path. */
export type Wrong = Record<string, string>;

/** Invalid input; the message says what the field accepts. */
export class WrongValue extends Error {}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };
const TIME = /^(\d+(?:\.\d+)?)\s*(s|m|h|d|sec|secs|seconds?|min|mins|minutes?|hours?|days?)?$/i;

/** Build the request from the input of these fields, and its errors; empty fields are left out. */
export function requestOf(
  fields: ReadonlyArray<IField>,
  typed: AllTyped,
  trans: TranslationBundle
): { request: ICreate; wrong: Wrong } {
  const request: ICreate = {};
  const wrong: Wrong = {};
  for (const field of fields) {
    try {
      const value = valueOf(field, typed[field.path], trans);
      if (value !== undefined) {
        put(request, field.path.split('.'), value);
      }
    } catch (error) {
      if (!(error instanceof WrongValue)) {
        throw error;
      }
      wrong[field.path] = error.message;
    }
  }
  return { request, wrong };
}

/** Value of one field; undefined if the input is empty. Throws WrongValue. */
export function valueOf(
  field: IField,
  typed: Typed | undefined,
  trans: TranslationBundle
): unknown {
  const value = read(field, typed, trans);
  if (value !== undefined) {
    check(field, value, trans);
  }
  return value;
}

/** Seconds as text: `1 h`, `90 s`; 0 is `never`. */
export function duration(seconds: number, trans: TranslationBundle): string {
  if (seconds === 0) {
    return trans.__('never');
  }
  for (const [unit, size] of [
    [trans.__('d'), 86400],
    [trans.__('h'), 3600],
    [trans.__('min'), 60]
  ] as [string, number][]) {
    if (seconds % size === 0) {
      return `${seconds / size} ${unit}`;
    }
  }
  return `${seconds} ${trans.__('s')}`;
}

function put(request: Json, parts: string[], value: unknown): void {
  const last = parts[parts.length - 1];
  let place = request;
  for (const part of parts.slice(0, -1)) {
    place = place[part] ??= {};
  }
  place[last] = value;
}

function read(field: IField, typed: Typed | undefined, trans: TranslationBundle): unknown {
  if (Array.isArray(typed)) {
    return pairs(typed, trans);
  }
  const text = field.kind === 'password' ? (typed ?? '') : (typed ?? '').trim();
  if (!text) {
    return undefined;
  }
  switch (field.kind) {
    case 'integer':
      return integer(text, trans);
    case 'seconds':
      return seconds(text, trans);
    case 'choice':
      return field.schema.type === 'boolean' ? text === 'true' : text;
    case 'lines':
      return text.split('\n').flatMap(line => line.trim() || []);
    case 'json':
      return json(text, trans);
    default:
      return text;
  }
}

function integer(text: string, trans: TranslationBundle): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new WrongValue(trans.__('must be a whole number'));
  }
  return value;
}

function seconds(text: string, trans: TranslationBundle): number {
  if (text.toLowerCase() === 'never') {
    return 0;
  }
  const found = TIME.exec(text);
  if (!found) {
    throw new WrongValue(trans.__("must be a time such as '30 min' or '2 h'"));
  }
  return Math.round(Number(found[1]) * UNITS[(found[2] ?? 's')[0].toLowerCase()]);
}

function json(text: string, trans: TranslationBundle): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new WrongValue(trans.__('is not JSON: %1', (error as Error).message));
  }
}

function pairs(rows: IRow[], trans: TranslationBundle): Record<string, string> | undefined {
  const found = new Map<string, string>();
  for (const row of rows) {
    const key = row.key.trim();
    if (!key && !row.value) {
      continue;
    }
    if (!key) {
      throw new WrongValue(trans.__('a value has no key'));
    }
    if (found.has(key)) {
      throw new WrongValue(trans.__('%1 is set twice', key));
    }
    found.set(key, row.value);
  }
  return found.size ? Object.fromEntries(found) : undefined;
}

/** Check a value against the schema. */
function check(field: IField, value: unknown, trans: TranslationBundle): void {
  const { errors } = validator.rawValidation<Json>(field.schema, value);
  const error = errors?.[0];
  if (error) {
    throw new WrongValue(message(field, error, trans));
  }
}

function message(field: IField, error: Json, trans: TranslationBundle): string {
  const inside = String(error.instancePath ?? '').slice(1);
  const where = inside ? `${inside.replace(/~1/g, '/').replace(/~0/g, '~')}: ` : '';
  return where + words(field, error, trans);
}

function words(field: IField, error: Json, trans: TranslationBundle): string {
  const params = error.params ?? {};
  const shown = (limit: number) =>
    field.kind === 'seconds' ? duration(limit, trans) : limit.toLocaleString('en');
  switch (error.keyword) {
    case 'pattern':
      return form(field.path, trans) ?? trans.__('has the wrong format');
    case 'minimum':
      return trans.__('must be at least %1', shown(params.limit));
    case 'maximum':
      return trans.__('must be at most %1', shown(params.limit));
    case 'maxLength':
      return trans.__('must have at most %1 characters', params.limit);
    case 'type':
      return typeWords(params.type, trans);
    default:
      return String(error.message ?? trans.__('is not valid'));
  }
}

/** Meaning of the patterns of the schema, in the words of the gateway (rucat_jupyter/core/field_errors.py). */
function form(path: string, trans: TranslationBundle): string | undefined {
  if (/memory(_overhead)?$/.test(path)) {
    return trans.__("must be a size such as '512m' or '4g'");
  }
  if (/(request|limit)_cores$/.test(path)) {
    return trans.__("must be a Kubernetes quantity such as '250m' or '2'");
  }
  return path === 'spark_version' ? trans.__("must be a release such as '4.3.0'") : undefined;
}

function typeWords(type: string, trans: TranslationBundle): string {
  const known: Record<string, string> = {
    array: trans.__('must be a list, in [ ]'),
    object: trans.__('must be an object, in { }'),
    string: trans.__('must be a text'),
    integer: trans.__('must be a whole number')
  };
  return known[type] ?? trans.__('must be of type %1', type);
}
