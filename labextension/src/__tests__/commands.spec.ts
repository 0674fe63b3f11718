/**
 * Commands act on the engine that they name, ask before a delete, and report errors.
 */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import * as apputils from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { RucatError } from '../api';
import { addCommands } from '../commands';
import type { IEngine } from '../tokens';
import { CommandIDs } from '../tokens';
import { engine, HOSTILE } from './fixtures';

jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual('@jupyterlab/apputils'),
  showDialog: jest.fn()
}));

const showDialog = apputils.showDialog as jest.Mock;

describe('commands', () => {
  let commands: CommandRegistry;
  let engines: IEngine[];
  let notify: jest.SpyInstance;
  const acts = { stop: jest.fn(), restart: jest.fn(), delete: jest.fn(), refresh: jest.fn() };

  beforeEach(() => {
    commands = new CommandRegistry();
    engines = [engine(), engine({ name: 'done', status: 'Stopped', verbs: ['restart', 'delete'] })];
    Object.values(acts).forEach(act => act.mockReset().mockResolvedValue(engines[0]));
    const find = (ref: string) => engines.find(({ id, name }) => id === ref || name === ref);
    const manager = {
      get engines() {
        return engines;
      },
      find,
      ...acts
    } as any;
    const trans = nullTranslator.load('test');
    addCommands(commands, { manager, front: { engine: engines[1] } as any, trans });
    notify = jest.spyOn(Notification, 'error').mockReturnValue('');
    showDialog.mockReset();
  });

  it('take an id or a name', async () => {
    await commands.execute(CommandIDs.stop, { engine: 'id-etl' });
    await commands.execute(CommandIDs.stop, { engine: 'etl' });
    expect(acts.stop.mock.calls).toEqual([['id-etl'], ['id-etl']]);
  });

  it('describe their arguments', async () => {
    for (const id of [CommandIDs.stop, CommandIDs.restart, CommandIDs.remove, CommandIDs.copy]) {
      const { args } = await commands.describedBy(id);
      expect((args as any).properties.engine.description).toBeTruthy();
    }
  });

  it('are enabled if the engine accepts the verb', () => {
    expect(commands.isVisible(CommandIDs.stop, { engine: 'etl' })).toBe(true);
    expect(commands.isVisible(CommandIDs.stop, { engine: 'done' })).toBe(false);
    expect(commands.label(CommandIDs.restart, { engine: 'done' })).toBe('Start');
    expect(commands.label(CommandIDs.restart, { engine: 'etl' })).toBe('Restart');
    expect(commands.label(CommandIDs.restart, { engine: 'etl', memory: '4g' })).toBe(
      'Restart with 4 GB'
    );
  });

  it('without an engine ask for a suitable one, that of the current notebook first', async () => {
    const getItem = jest
      .spyOn(InputDialog, 'getItem')
      .mockImplementation(
        async ({ items }: any) => ({ value: items[0], button: {} as any }) as any
      );
    await commands.execute(CommandIDs.restart);
    expect(acts.restart).toHaveBeenCalledWith('id-done', undefined);
    await commands.execute(CommandIDs.stop);
    expect((getItem.mock.calls[1][0] as any).items).toEqual(['● etl  Running']);
    getItem.mockResolvedValue({ value: null } as any);
    await commands.execute(CommandIDs.stop);
    expect(acts.stop).toHaveBeenCalledTimes(1);
  });

  it('restart with the memory from the arguments or from the user', async () => {
    await commands.execute(CommandIDs.restart, { engine: 'etl', memory: '4g' });
    jest.spyOn(InputDialog, 'getText').mockResolvedValueOnce({ value: '8G' } as any);
    await commands.execute(CommandIDs.restart, { engine: 'etl', ask: true });
    jest.spyOn(InputDialog, 'getText').mockResolvedValueOnce({ value: null } as any);
    await commands.execute(CommandIDs.restart, { engine: 'etl', ask: true });
    expect(acts.restart.mock.calls).toEqual([
      ['id-etl', { driver: { memory: '4g' } }],
      ['id-etl', { driver: { memory: '8g' } }]
    ]);
  });

  it('delete only the named engine, after a confirmation', async () => {
    showDialog.mockResolvedValueOnce({ button: { accept: false } });
    await commands.execute(CommandIDs.remove, { engine: 'etl' });
    expect(acts.delete).not.toHaveBeenCalled();
    showDialog.mockImplementationOnce(async () => {
      engines = [engine({ id: 'another' })]; // in the meantime another engine has the name
      return { button: { accept: true } };
    });
    await commands.execute(CommandIDs.remove, { engine: 'etl' });
    expect(acts.delete.mock.calls).toEqual([['id-etl']]);
    const asked = showDialog.mock.calls[0][0];
    expect(asked.title).toBe('Delete etl?');
    expect(asked.body).toBe(
      'This deletes its record, settings and last log lines. Its history stays for 30 days.'
    );
    expect(asked.defaultButton).toBe(0);
  });

  it('delete without a confirmation if the arguments say so', async () => {
    await commands.execute(CommandIDs.remove, { engine: 'etl', confirmed: true });
    expect(showDialog).not.toHaveBeenCalled();
    expect(acts.delete).toHaveBeenCalledWith('id-etl');
  });

  it('show errors as text, and do not reject', async () => {
    const said = new RucatError(`cannot stop: ${HOSTILE.html}${HOSTILE.ansi}`, 'not_possible', 409);
    acts.stop.mockRejectedValue(said);
    await commands.execute(CommandIDs.stop, { engine: 'etl' });
    expect(notify.mock.calls[0][0]).toBe(`Stop etl: cannot stop: ${HOSTILE.html}red`);
    acts.stop.mockRejectedValue(new RucatError('Failed to fetch', 'no_answer', 0));
    await commands.execute(CommandIDs.stop, { engine: 'etl' });
    expect(notify.mock.calls[1][0]).toContain('check whether the action was done');
    await commands.execute(CommandIDs.stop, { engine: 'gone' });
    expect(notify.mock.calls[2][0]).toBe('Stop: engine gone no longer exists');
  });
});
