/**
 * Which settings of an engine differ from its profile.
 */
import type { Json } from '../tokens';

/** A setting, named as in a profile: `driver.memory`, `conf.spark.sql.shuffle.partitions`. */
export interface IDifference {
  field: string;
  value: string;
}

/** Maps where a user set every key; in other fields, a value that the profile does not set is a default. */
const FREE = ['conf', 'env'];

/** The settings of a spec that differ from what the profile sets. */
export function differences(profile: Json, spec: Json): IDifference[] {
  const found: IDifference[] = [];
  for (const key of Object.keys(profile)) {
    if (!FREE.includes(key)) {
      compare(key, profile[key], spec[key], found);
    }
  }
  for (const key of FREE) {
    const [wanted, has] = [profile[key] ?? {}, spec[key] ?? {}];
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(has)])) {
      compare(`${key}.${name}`, wanted[name], has[name], found);
    }
  }
  return found;
}

function compare(field: string, wanted: any, has: any, found: IDifference[]): void {
  if (isMap(wanted) && isMap(has)) {
    Object.keys(wanted).forEach(key => compare(`${field}.${key}`, wanted[key], has[key], found));
  } else if (JSON.stringify(wanted) !== JSON.stringify(has)) {
    found.push({ field, value: typeof has === 'string' ? has : (JSON.stringify(has) ?? 'unset') });
  }
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
