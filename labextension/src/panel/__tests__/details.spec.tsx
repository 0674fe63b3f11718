/**
 * Details of an engine: differences from its profile, operations and their cancellation, events.
 */
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { act, fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';

import { RucatError } from '../../api';
import { engine, failed, NOW } from '../../__tests__/fixtures';
import type { IEngine } from '../../tokens';
import { Clock } from '../clock';
import { PanelProvider } from '../context';
import { Details } from '../details';
import { differences } from '../differences';

const trans = nullTranslator.load('test');
const OPERATION = {
  id: 'op',
  notebook: 'work/etl.ipynb',
  cell: 7,
  text: 'SELECT <b>1</b>',
  status: 'running',
  started_at: null,
  tasks: 200,
  tasks_done: 86
};

const api = {
  cancel: jest.fn(),
  get: jest.fn(),
  history: jest.fn(),
  operations: jest.fn(),
  profiles: jest.fn()
};
const clock = new Clock();

async function show(found: IEngine) {
  const context = { api: api as any, clock, commands: new CommandRegistry(), trans } as any;
  const page = (shown: IEngine) => (
    <PanelProvider value={context}>
      <Details engine={shown} />
    </PanelProvider>
  );
  const rendered = render(page(found));
  await act(async () => undefined);
  return {
    ...rendered,
    rerender: async (next: IEngine) => {
      rendered.rerender(page(next));
      await act(async () => undefined);
    }
  };
}

beforeEach(() => {
  jest.useFakeTimers();
  api.cancel.mockReset().mockResolvedValue(undefined);
  api.get.mockReset().mockResolvedValue(engine());
  api.history.mockReset().mockResolvedValue([]);
  api.operations.mockReset().mockResolvedValue([]);
  api.profiles.mockReset().mockResolvedValue({ profiles: [] });
});

afterEach(() => jest.useRealTimers());

const pass = (ms: number) => act(async () => void (await jest.advanceTimersByTimeAsync(ms)));

describe('operations', () => {
  it('show notebook, cell, text and progress, every 2 s', async () => {
    await show(engine());
    expect(screen.getByText('No operation is running.')).toBeTruthy();
    api.operations.mockResolvedValue([OPERATION]);
    await pass(2000);
    expect(screen.getByText('etl.ipynb, cell 7')).toBeTruthy();
    expect(screen.getByText('43 % · 86/200 tasks')).toBeTruthy();
    expect(screen.getByText('SELECT <b>1</b>')).toBeTruthy();
    expect(api.operations).toHaveBeenCalledTimes(2);
  });

  it('are cancelled, and read again immediately', async () => {
    api.operations.mockResolvedValue([OPERATION]);
    await show(engine());
    const button = screen.getByRole('button', {
      name: 'Cancel the operation of etl.ipynb, cell 7'
    });
    api.operations.mockResolvedValue([]);
    await act(async () => void fireEvent.click(button));
    expect(api.cancel).toHaveBeenCalledWith('id-etl', 'op');
    expect(screen.getByText('No operation is running.')).toBeTruthy();
  });

  it('are only polled while the engine runs and the panel is visible', async () => {
    const { rerender, unmount } = await show(engine());
    clock.isPaused = true;
    await pass(10_000);
    expect(api.operations).toHaveBeenCalledTimes(1);
    act(() => {
      clock.isPaused = false;
    });
    await pass(2000);
    expect(api.operations).toHaveBeenCalledTimes(2);
    await rerender(engine({ status: 'Stopped' }));
    await pass(10_000);
    unmount();
    await pass(10_000);
    expect(api.operations).toHaveBeenCalledTimes(2);
  });

  it('show an error if the engine does not report them', async () => {
    api.operations.mockRejectedValue(
      new RucatError('Spark 4.1 does not tell', 'not_possible', 409)
    );
    await show(engine());
    expect(screen.getByText('Spark 4.1 does not tell')).toBeTruthy();
  });
});

it('show why it failed and what to do', async () => {
  await show(failed('OutOfMemory', 'All was used.'));
  const region = screen.getByRole('region').textContent;
  expect(region).toContain('OutOfMemory: All was used.');
  expect(region).toContain('Do something.');
});

it('show the last five events, newest first, and those of a new revision', async () => {
  const event = (n: number) => ({ at: null, status: 'Running', reason: `event ${n}`, revision: n });
  api.history.mockResolvedValue([1, 2, 3, 4, 5, 6].map(event));
  const { rerender } = await show(engine());
  const events = () =>
    screen.getAllByText(/event \d/).map(e => e.textContent.match(/event \d/)![0]);
  expect(events()).toEqual([6, 5, 4, 3, 2].map(n => `event ${n}`));
  api.history.mockResolvedValue([7].map(event));
  await rerender(engine({ revision: 9 }));
  expect(events()).toEqual(['event 7']);
});

it('show when it stops, counted from its latest use', async () => {
  jest.setSystemTime(NOW);
  api.get.mockResolvedValue(engine({ last_used_at: '2026-03-01T11:59:00Z' }));
  await show(engine());
  expect(screen.getByText('idle stop in 59 min')).toBeTruthy();
});

it.each([
  [null, /default/],
  [0, /only when a user stops it/]
])('show when it stops with an idle timeout of %s', async (idle, words) => {
  await show(engine({ spec: { ...engine().spec, idle_timeout_s: idle } }));
  expect(screen.getByText(words)).toBeTruthy();
});

it('show the differences from the profile', async () => {
  const spec = { driver: { memory: '1g', cores: 2 }, conf: { a: '1', b: '2' } };
  api.profiles.mockResolvedValue({ profiles: [{ name: 'local', spec }] });
  const has = { ...engine().spec, conf: { b: '3', c: '4' } };
  await show(engine({ spec: has }));
  const code = [...document.querySelectorAll('.jp-Rucat-code')].map(e => e.textContent);
  expect(code).toEqual(['driver.memory = 2g', 'conf.a = unset', 'conf.b = 3', 'conf.c = 4']);
  expect(differences(spec, spec)).toEqual([]);
});
