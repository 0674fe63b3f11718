import { NO_ANSWER, NO_EXTENSION, RucatError } from '../../api';
import { refusalOf } from '../refusals';
import { byPath, trans } from './samples';

const PATHS = Object.keys(byPath('kubernetes'));

const refusal = (code: string, status: number, message: string, details = {}) =>
  refusalOf(new RucatError(message, code, status, details), PATHS, trans);

describe('errors of the server are shown', () => {
  it('at their field, with the path inside the field', () => {
    const errors = [
      { field: 'driver.memory', message: 'must be a size' },
      { field: 'conf.spark.sql.x', message: 'is not one' },
      { field: 'conf.spark.y', message: 'is not one, too' },
      { field: 'kubernetes.image_pull_secrets.0', message: 'must be a name' },
      { field: 'profile', message: 'there is no profile' }
    ];
    expect(refusal('invalid_request', 400, '…', { errors })).toEqual({
      at: {
        'driver.memory': 'must be a size',
        conf: 'spark.sql.x: is not one\nspark.y: is not one, too',
        'kubernetes.image_pull_secrets': '0: must be a name',
        profile: 'there is no profile'
      },
      rest: []
    });
  });

  it('below the form if there is no such field', () => {
    const errors = [
      { field: '', message: 'the body is incomplete' },
      { field: 'external.url', message: 'is not had' }
    ];
    expect(refusal('invalid_request', 400, '…', { errors }).rest).toEqual([
      'the body is incomplete',
      'external.url: is not had'
    ]);
  });

  it('at each field of a limit on several', () => {
    const errors = [{ field: 'driver.memory, executors.memory', message: 'together 9g' }];
    expect(refusal('forbidden', 403, '…', { errors }).at).toEqual({
      'driver.memory': 'together 9g',
      'executors.memory': 'together 9g'
    });
  });

  it('at the fields of a limit that the platform has', () => {
    const errors = [{ field: 'driver.memory, executors.memory', message: 'together 9g' }];
    const error = new RucatError('…', 'forbidden', 403, { errors });
    expect(refusalOf(error, Object.keys(byPath('local')), trans)).toEqual({
      at: { 'driver.memory': 'together 9g' },
      rest: []
    });
  });

  it('at conf and environment for denied keys, each with its own reason', () => {
    const message =
      'these settings are not allowed: spark.master: the platform decides; JAVA_TOOL_OPTIONS: use java_options';
    const keys = ['spark.master', 'JAVA_TOOL_OPTIONS'];
    expect(refusal('conf_denied', 403, message, { keys }).at).toEqual({
      conf: 'spark.master: the platform decides',
      env: 'JAVA_TOOL_OPTIONS: use java_options'
    });
  });

  it('at the name if it is taken', () => {
    const said = refusal('name_taken', 409, "the name 'etl' is taken", { id: 'x' });
    expect(said).toEqual({ at: { name: "the name 'etl' is taken" }, rest: [] });
  });

  it('with advice if the server does not respond', () => {
    expect(refusal(NO_ANSWER, 0, 'Failed to fetch').rest[0]).toContain('Your input is kept');
    expect(refusal(NO_EXTENSION, 404, '404').rest[0]).toContain(
      'The Rucat server extension is not installed'
    );
    expect(refusal('store_unavailable', 503, 'the store is away').rest).toEqual([
      'the store is away'
    ]);
  });
});
