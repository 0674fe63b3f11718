import { configure, fireEvent, screen, waitFor, within } from '@testing-library/dom';
import { Signal } from '@lumino/signaling';

import { RucatError } from '../../api';
import type { Connection, IConf, ICreate, IEngine, IPlan, IProfiles } from '../../tokens';
import type { ICreated } from '../dialog';
import { showCreateDialog } from '../dialog';
import { CreateModel } from '../model';
import { conf, plan, profile, profiles, trans } from './samples';

// JupyterLab shows its <dialog> by a style, which jsdom does not know
configure({ defaultHidden: true, asyncUtilTimeout: 15000 });
jest.setTimeout(60000); // roles are slow to compute on a busy machine

const HOSTILE = '<img src=x onerror=alert(1)>';

let gateway: {
  connection: Connection;
  changed: Signal<any, void>;
  profiles: jest.Mock<Promise<IProfiles>, []>;
  plan: jest.Mock<Promise<IPlan>, [ICreate]>;
  confs: jest.Mock<Promise<IConf[]>, []>;
  create: jest.Mock<Promise<IEngine>, [ICreate]>;
};
let closed: Promise<ICreated | null>;

async function show(canAttach = false): Promise<void> {
  const model = new CreateModel({
    manager: gateway,
    api: gateway,
    trans,
    wanted: '',
    lost: () => undefined
  });
  closed = showCreateDialog(model, { canAttach });
  await waitFor(() =>
    expect(document.querySelector('.jp-Rucat-createScroll, .jp-Rucat-createFailed')).not.toBeNull()
  );
}

const button = (name: string) => screen.getByRole('button', { name });
const type = (label: string | HTMLElement, value: string) =>
  fireEvent.change(typeof label === 'string' ? screen.getByLabelText(label) : label, {
    target: { value }
  });

beforeEach(() => {
  gateway = {
    connection: { kind: 'ok' },
    changed: new Signal<any, void>({}),
    profiles: jest.fn(() => Promise.resolve(profiles())),
    plan: jest.fn<Promise<IPlan>, [ICreate]>(() => Promise.resolve(plan())),
    confs: jest.fn(() => Promise.resolve([conf('spark.sql.x', 'Means x.'), conf('spark.y')])),
    create: jest.fn<Promise<IEngine>, [ICreate]>(() =>
      Promise.resolve({ id: '1', name: 'etl' } as IEngine)
    )
  };
});

afterEach(async () => {
  const dialog = document.querySelector('.jp-Rucat-createDialog');
  if (dialog) {
    fireEvent.keyDown(dialog, { key: 'Escape' });
    await closed;
  }
});

describe('the dialog', () => {
  it('creates an engine from the input, and returns which button was pressed', async () => {
    await show(true);
    type('Name', 'etl');
    type('Driver memory', '2g');
    fireEvent.click(button('Create and attach'));
    expect(await closed).toEqual({ engine: { id: '1', name: 'etl' }, attach: true });
    expect(gateway.create).toHaveBeenCalledWith({
      profile: 'local',
      name: 'etl',
      driver: { memory: '2g' }
    });
  });

  it('offers to attach only if there is a notebook', async () => {
    await show(false);
    expect(screen.queryByRole('button', { name: 'Create and attach' })).toBeNull();
    fireEvent.keyDown(screen.getByLabelText('Name'), { key: 'Escape' });
    expect(await closed).toBeNull();
  });

  it('is submitted by Enter in an input, but not in the search', async () => {
    await show();
    fireEvent.click(button('More settings'));
    const search = await screen.findByLabelText('Search more settings');
    search.focus();
    fireEvent.keyDown(search, { key: 'Enter' });
    expect(gateway.create).not.toHaveBeenCalled();
    screen.getByLabelText('Name').focus();
    fireEvent.keyDown(screen.getByLabelText('Name'), { key: 'Enter' });
    expect((await closed)?.attach).toBe(false);
    expect(gateway.create).toHaveBeenCalledTimes(1);
  });

  it('stays open after an error, which is shown at its field; the field gets the focus', async () => {
    gateway.create.mockRejectedValue(new RucatError(`${HOSTILE} is taken`, 'name_taken', 409));
    await show();
    type('Name', HOSTILE);
    fireEvent.click(button('Create'));
    const said = await screen.findByText(`${HOSTILE} is taken`);
    const name = screen.getByLabelText<HTMLInputElement>('Name');
    expect(said.getAttribute('role')).toBe('alert');
    expect(name.getAttribute('aria-describedby')).toContain(said.id);
    expect(document.activeElement).toBe(name);
    expect(name.value).toBe(HOSTILE);
    expect(document.querySelector('img')).toBeNull();
  });

  it('does not close on a click outside', async () => {
    await show();
    fireEvent.click(document.querySelector('.jp-Rucat-createDialog')!);
    expect(screen.getByLabelText('Name')).toBeTruthy();
  });

  it('shows an error of the profiles, and retries', async () => {
    gateway.profiles.mockRejectedValueOnce(new RucatError('no gateway', 'unavailable', 503));
    await show();
    expect(screen.getByRole('alert').textContent).toContain('no gateway');
    fireEvent.click(button('Try again'));
    await screen.findByLabelText('Name');
  });

  it('says why a profile is not available, and shows errors in files', async () => {
    gateway.profiles.mockResolvedValue(
      profiles({
        profiles: [profile('local', 'local'), profile('far', 'far', { available: false })],
        errors: ['rucat.toml: profiles.x: there is no such field']
      })
    );
    await show();
    const far = document.querySelector<HTMLElement>('[data-profile="far"]')!;
    expect(within(far).getByRole('radio')).toHaveProperty('disabled', true);
    expect(far.textContent).toContain('this gateway does not support the platform far');
    screen.getByText('rucat.toml: profiles.x: there is no such field');
  });

  it('changes its fields with the profile', async () => {
    await show();
    expect(screen.queryByLabelText('Namespace')).toBeNull();
    screen.getByRole('radio', { name: /k8s-small/ }).click();
    await screen.findByLabelText('Namespace');
    expect(screen.getByLabelText('Executors').getAttribute('placeholder')).toBe('2');
    screen.getByRole('radio', { name: /theirs/ }).click();
    await screen.findByLabelText('Token');
    expect(screen.getByLabelText('Token').getAttribute('type')).toBe('password');
    expect(screen.queryByRole('button', { name: 'More settings' })).toBeNull();
  });

  it('has rows for Spark confs, and finds settings by words', async () => {
    await show();
    fireEvent.click(button('More settings'));
    await screen.findByLabelText('Java options');
    type('Search more settings', 'spark.sql');
    await waitFor(() => expect(screen.queryByLabelText('Java options')).toBeNull());
    type('Spark conf: key', 'spark.sql.x');
    fireEvent.change(await screen.findByLabelText('Spark conf: value of spark.sql.x'), {
      target: { value: '1' }
    });
    fireEvent.click(button('Add'));
    await waitFor(() => expect(screen.getAllByLabelText('Spark conf: key')).toHaveLength(2));
    fireEvent.click(button('Create'));
    await closed;
    expect(gateway.create.mock.lastCall![0]).toEqual({
      profile: 'local',
      conf: { 'spark.sql.x': '1' }
    });
  });

  it('shows the documentation of Spark settings, and adds a row for one', async () => {
    await show();
    fireEvent.click(button('More settings'));
    await waitFor(() => expect(document.querySelector('option[value="spark.y"]')).not.toBeNull());
    type(await screen.findByLabelText('Search more settings'), 'means');
    fireEvent.click(await screen.findByRole('button', { name: 'Set spark.sql.x' }));
    const value = await screen.findByLabelText('Spark conf: value of spark.sql.x');
    await waitFor(() => expect(document.activeElement).toBe(value));
    expect(value.getAttribute('placeholder')).toBe('200');
  });
});
