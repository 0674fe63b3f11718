/**
 * Assigns the errors of the server to form fields.
 */
import type { RucatError } from '../api';
import { NO_ANSWER, NO_EXTENSION, isLoggedOut } from '../api';
import type { TranslationBundle } from '@jupyterlab/translation';
import { expiredWords } from '../report';
import { NAME } from './fields';
import type { Wrong } from './values';

/** Errors by field, and errors without a field. */
export interface IRefusal {
  at: Wrong;
  rest: string[];
}

/** Errors of profile and platform are shown at the choice of the profile. */
export const PROFILE = 'profile';

const PLACES = ['conf', 'env', 'secret_env'];

/** Assign an error of the server to the fields with these paths. */
export function refusalOf(
  error: RucatError,
  paths: ReadonlyArray<string>,
  trans: TranslationBundle
): IRefusal {
  if (error.code === 'name_taken') {
    return { at: { [NAME]: error.message }, rest: [] };
  }
  if (error.code === 'conf_denied' && Array.isArray(error.details.keys)) {
    return sorted(denied(error, paths), paths);
  }
  if (Array.isArray(error.details.errors)) {
    const found = error.details.errors.flatMap(({ field, message }: any) =>
      split(String(field ?? ''), String(message ?? ''), paths)
    );
    return sorted(found, paths);
  }
  return { at: {}, rest: [plain(error, trans)] };
}

/** Message of an error that belongs to no field. */
export function plain(error: RucatError, trans: TranslationBundle): string {
  if (error.code === NO_EXTENSION) {
    return trans.__('The Rucat server extension is not installed on this Jupyter server.');
  }
  if (isLoggedOut(error)) {
    return expiredWords(trans);
  }
  if (error.code === NO_ANSWER) {
    return trans.__(
      'The server does not respond (%1). Your input is kept: try again.',
      error.message
    );
  }
  return error.message;
}

/** A limit on several fields is shown at each of them that the form has. */
function split(field: string, message: string, paths: ReadonlyArray<string>): [string, string][] {
  const names = field.split(', ');
  const known = names.filter(name => ownerOf(name, paths) !== undefined);
  return (known.length ? known : [field]).map(name => [name, message]);
}

/** Denied keys by field; the message contains the reason for each. */
function denied(error: RucatError, paths: ReadonlyArray<string>): [string, string][] {
  const listed = error.message.replace(/^[^:]*: /, '').split('; ');
  return error.details.keys.map((key: string) => {
    const said = listed.find(line => line.startsWith(`${key}: `)) ?? `${key}: ${error.message}`;
    const place = key.startsWith('spark.') ? 'conf' : PLACES.slice(1).find(p => paths.includes(p));
    return [`${place ?? 'conf'}.${key}`, said.slice(key.length + 2)];
  });
}

function sorted(found: [string, string][], paths: ReadonlyArray<string>): IRefusal {
  const refusal: IRefusal = { at: {}, rest: [] };
  for (const [field, message] of found) {
    const owner = ownerOf(field, paths);
    if (owner === undefined) {
      refusal.rest.push(field ? `${field}: ${message}` : message);
      continue;
    }
    const inside = owner === PROFILE ? '' : field.slice(owner.length + 1);
    const line = inside ? `${inside}: ${message}` : message;
    refusal.at[owner] = refusal.at[owner] ? `${refusal.at[owner]}\n${line}` : line;
  }
  return refusal;
}

/** The longest path that equals or contains the field. */
function ownerOf(field: string, paths: ReadonlyArray<string>): string | undefined {
  if (field === 'platform' || field === PROFILE) {
    return PROFILE;
  }
  return [...paths]
    .sort((one, other) => other.length - one.length)
    .find(path => field === path || field.startsWith(`${path}.`));
}
