import { PromiseDelegate } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { LOGGED_OUT, NO_ANSWER, RucatError } from '../../api';
import type { Connection, IConf, ICreate, IEngine, IPlan, IProfiles } from '../../tokens';
import { CreateModel, PLAN_AFTER_MS } from '../model';
import { conf, plan, profile, profiles, trans } from './samples';

const ETL = { id: '1', name: 'etl' } as IEngine;

/** A gateway whose responses the test controls. */
class Gateway {
  connection: Connection = { kind: 'ok' };
  readonly changed = new Signal<any, void>(this);
  profiles = jest.fn(() => Promise.resolve<IProfiles>(profiles()));
  plan = jest.fn<Promise<IPlan>, [ICreate, AbortSignal?]>(() => Promise.resolve(plan()));
  confs = jest.fn<Promise<IConf[]>, []>(() => Promise.resolve([conf('spark.a')]));
  create = jest.fn<Promise<IEngine>, [ICreate]>(() => Promise.resolve(ETL));
}

let gateway: Gateway;
let model: CreateModel;
let lost: string[];

function makeModel(wanted = ''): CreateModel {
  return new CreateModel({
    manager: gateway,
    api: gateway,
    trans,
    wanted,
    lost: said => lost.push(said)
  });
}

/** Let pending responses arrive, and the pause after typing pass. */
const pass = (ms = 0) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  jest.useFakeTimers();
  lost = [];
  gateway = new Gateway();
  model = makeModel();
});

afterEach(() => {
  model.dispose();
  jest.useRealTimers();
});

describe('profiles', () => {
  it('are loaded; the wanted one is selected, else the default, else an available one', async () => {
    await model.load();
    expect(model.profile?.name).toBe('local');
    const wanted = makeModel('k8s-small');
    await wanted.load();
    expect(wanted.profile?.name).toBe('k8s-small');
    const without = [profile('local', 'local', { available: false }), profile('x', 'x')];
    gateway.profiles.mockResolvedValue(profiles({ profiles: without }));
    await wanted.load();
    expect(wanted.profile?.name).toBe('x');
  });

  it('show why they cannot be loaded, and can be loaded again', async () => {
    gateway.profiles.mockRejectedValueOnce(
      new RucatError('no gateway', 'gateway_unavailable', 503)
    );
    await model.load();
    expect(model.loading).toEqual({ kind: 'failed', message: 'no gateway' });
    await model.load();
    expect(model.loading.kind).toBe('ready');
  });

  it('are retried while the gateway starts, with a limit', async () => {
    const starting = new RucatError('is still starting', 'gateway_unavailable', 503, {}, 2);
    gateway.profiles.mockRejectedValueOnce(starting);
    const loaded = model.load();
    await pass(1999);
    expect([gateway.profiles.mock.calls.length, model.loading.kind]).toEqual([1, 'loading']);
    await pass(1);
    await loaded;
    expect(model.profile?.name).toBe('local');
    gateway.profiles.mockRejectedValue(starting);
    const never = model.load();
    await pass(60000);
    await never;
    expect(model.loading).toEqual({ kind: 'failed', message: 'is still starting' });
  });

  it('are loaded, and the plan is made, after another login', async () => {
    const expired = new RucatError('who?', LOGGED_OUT, 403);
    const again = 'Your Jupyter login has expired: log in again in another tab.';
    gateway.profiles.mockRejectedValueOnce(expired);
    await model.load();
    expect(model.loading).toEqual({ kind: 'failed', message: again });
    gateway.connection = { kind: 'forbidden', message: '', isLoggedOut: true };
    gateway.changed.emit();
    expect(model.loading.kind).toBe('failed');
    gateway.connection = { kind: 'ok' };
    gateway.plan.mockRejectedValueOnce(expired);
    gateway.changed.emit();
    await pass();
    expect(model.planned).toEqual({ kind: 'wrong', at: {}, rest: [again] });
    gateway.create.mockRejectedValueOnce(expired);
    await model.submit();
    expect(model.problems).toEqual([again]);
    gateway.changed.emit();
    await pass();
    expect([model.planned.kind, model.problems]).toEqual(['plan', []]);
  });

  it('change the fields, and keep the input', async () => {
    await model.load();
    model.type('driver.memory', '2g');
    model.type('name', 'etl');
    model.choose('theirs');
    model.choose('k8s-small');
    await model.submit();
    expect(gateway.create).toHaveBeenCalledWith({
      profile: 'k8s-small',
      name: 'etl',
      driver: { memory: '2g' }
    });
  });
});

describe('the plan', () => {
  it('is requested immediately for a profile, and after a pause in typing', async () => {
    await model.load();
    await pass();
    expect(model.planned.kind).toBe('plan');
    expect(gateway.plan).toHaveBeenCalledTimes(1);
    model.type('driver.memory', '2');
    await pass(PLAN_AFTER_MS - 1);
    model.type('driver.memory', '2g');
    expect(model.planned.kind).toBe('asking');
    await pass(PLAN_AFTER_MS - 1);
    expect(gateway.plan).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(gateway.plan).toHaveBeenCalledTimes(2);
    expect(gateway.plan.mock.lastCall![0]).toEqual({ profile: 'local', driver: { memory: '2g' } });
  });

  it('is aborted when it is outdated, and its response is ignored', async () => {
    await model.load();
    await pass();
    const slow = new PromiseDelegate<IPlan>();
    gateway.plan.mockReturnValueOnce(slow.promise);
    model.type('name', 'a');
    await pass(PLAN_AFTER_MS);
    const signal = gateway.plan.mock.lastCall![1]!;
    model.type('name', 'b');
    expect(signal.aborted).toBe(true);
    slow.resolve(plan({ name: 'a' }));
    await pass();
    expect(model.planned.kind).toBe('asking');
    gateway.plan.mockResolvedValueOnce(plan({ name: 'b' }));
    await pass(PLAN_AFTER_MS);
    expect(model.planned).toEqual({ kind: 'plan', plan: plan({ name: 'b' }) });
  });

  it('is not requested for invalid input, nor after the dialog is disposed', async () => {
    await model.load();
    await pass();
    model.type('driver.memory', 'much');
    await pass(PLAN_AFTER_MS);
    expect(model.planned.kind).toBe('wrong');
    model.type('driver.memory', '1g');
    model.dispose();
    await pass(PLAN_AFTER_MS);
    expect(gateway.plan).toHaveBeenCalledTimes(1);
  });

  it('shows an error in its line, and at a field that the user has left', async () => {
    const errors = [{ field: 'driver.memory', message: 'the limit is 8g' }];
    await model.load();
    gateway.plan.mockRejectedValue(new RucatError('…', 'forbidden', 403, { errors }));
    model.type('driver.memory', '9g');
    await pass(PLAN_AFTER_MS);
    expect(model.planned).toEqual({
      kind: 'wrong',
      at: { 'driver.memory': 'the limit is 8g' },
      rest: []
    });
    expect(model.wrong).toEqual({});
    model.leave('driver.memory');
    expect(model.wrong).toEqual({ 'driver.memory': 'the limit is 8g' });
    model.type('driver.memory', '8g');
    expect(model.wrong).toEqual({});
  });
});

describe('a create', () => {
  it('is sent once, however often the user presses the button', async () => {
    await model.load();
    const made = new PromiseDelegate<IEngine>();
    gateway.create.mockReturnValue(made.promise);
    const [first, second] = [model.submit(), model.submit()];
    expect(model.isBusy).toBe(true);
    made.resolve(ETL);
    expect([await first, await second]).toEqual([ETL, null]);
    expect(gateway.create).toHaveBeenCalledTimes(1);
    expect(model.isBusy).toBe(false);
  });

  it('is not sent with an invalid value; folded fields with an invalid value unfold', async () => {
    await model.load();
    model.type('spark_version', 'four');
    expect(await model.submit()).toBeNull();
    expect(gateway.create).not.toHaveBeenCalled();
    expect(Object.keys(model.wrong)).toEqual(['spark_version']);
    expect([model.refusals, model.isUnfolded]).toEqual([1, true]);
  });

  it('keeps the input after an error, and can be retried', async () => {
    await model.load();
    model.type('name', 'etl');
    gateway.create.mockRejectedValueOnce(new RucatError('taken', 'name_taken', 409));
    expect(await model.submit()).toBeNull();
    expect(model.wrong).toEqual({ name: 'taken' });
    gateway.create.mockRejectedValueOnce(new RucatError('Failed to fetch', NO_ANSWER, 0));
    expect(await model.submit()).toBeNull();
    expect(model.problems[0]).toContain('Your input is kept');
    expect(model.typed).toEqual({ name: 'etl' });
    expect(await model.submit()).toBe(ETL);
    expect(model.problems).toEqual([]);
  });

  it('reports an error even if the dialog was closed', async () => {
    await model.load();
    const answer = new PromiseDelegate<IEngine>();
    gateway.create.mockReturnValue(answer.promise);
    const asked = model.submit();
    model.dispose();
    answer.reject(new RucatError('the quota is full', 'forbidden', 403));
    expect(await asked).toBeNull();
    expect(lost).toEqual(['the quota is full']);
  });
});

describe("Spark's own settings", () => {
  it('are loaded once, when *More settings* is opened for the first time', async () => {
    await model.load();
    expect(gateway.confs).not.toHaveBeenCalled();
    model.unfold(true);
    model.unfold(false);
    model.unfold(true);
    await pass();
    expect(model.confs).toEqual([conf('spark.a')]);
    expect(gateway.confs).toHaveBeenCalledTimes(1);
  });

  it('are left out if they cannot be loaded, and are loaded again the next time', async () => {
    gateway.confs.mockRejectedValueOnce(new RucatError('no such route', 'no_such_route', 404));
    model.unfold(true);
    await pass();
    expect(model.confs).toEqual([]);
    model.unfold(true);
    await pass();
    expect(model.confs).toEqual([conf('spark.a')]);
  });

  it('replace an empty row, and are never added twice', () => {
    const rows = () => (model.typed.conf as { key: string; value: string }[]).map(row => row.key);
    model.type('conf', [
      { key: 'spark.x', value: '1' },
      { key: '', value: '' }
    ]);
    model.addConf('spark.a');
    model.addConf('spark.x');
    expect(rows()).toEqual(['spark.a', 'spark.x']);
    expect(model.typed.conf).toContainEqual({ key: 'spark.x', value: '1' });
  });
});
