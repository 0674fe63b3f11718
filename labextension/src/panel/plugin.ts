/**
 * Plugins of the side panel, the engine manager and the commands: wiring only.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from '../api';
import { addCommands } from '../commands';
import { EngineManager } from '../manager/manager';
import { CommandIDs, IEngineManager, IFrontNotebook, NAMESPACE } from '../tokens';
import { EnginePanel, PANEL_ID } from './widget';

/** Position in the left sidebar: after file browser, running sessions and table of contents. */
const RANK = 450;

const manager: JupyterFrontEndPlugin<IEngineManager> = {
  id: `${NAMESPACE}:manager`,
  description: 'Reads the engines of this user and acts on them.',
  autoStart: true,
  provides: IEngineManager,
  activate: ({ restored, serviceManager }: JupyterFrontEnd): IEngineManager => {
    const { connectionFailure, events, serverSettings } = serviceManager;
    const made = new EngineManager({
      api: new Api(serverSettings),
      events: events.stream,
      trouble: connectionFailure
    });
    void restored.then(() => made.start()); // after the page is usable
    return made;
  }
};

const commands: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:commands`,
  description:
    'Commands to stop, restart and delete engines, and to copy the line that attaches one.',
  autoStart: true,
  requires: [IEngineManager],
  optional: [IFrontNotebook, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    engines: IEngineManager,
    front: IFrontNotebook | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    addCommands(app.commands, { manager: engines, front, trans });
  }
};

const panel: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:panel`,
  description: 'The side panel that lists and manages engines.',
  autoStart: true,
  requires: [IEngineManager],
  optional: [IFrontNotebook, ILayoutRestorer, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    engines: IEngineManager,
    front: IFrontNotebook | null,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const api = new Api(app.serviceManager.serverSettings);
    const widget = new EnginePanel({
      api,
      commands: app.commands,
      front,
      manager: engines,
      state,
      trans
    });
    app.shell.add(widget, 'left', { rank: RANK, type: 'Rucat' });
    restorer?.add(widget, PANEL_ID);
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Show Engines'),
      caption: trans.__('Show the side panel with all engines'),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            engine: {
              type: 'string',
              description: 'Id or name of an engine; the panel opens its details'
            }
          }
        }
      },
      execute: ({ engine: ref }) => {
        const engine = typeof ref === 'string' ? engines.find(ref) : undefined;
        if (engine) {
          widget.open(engine.id);
        }
        app.shell.activateById(PANEL_ID);
      }
    });
  }
};

export const plugins: JupyterFrontEndPlugin<any>[] = [manager, commands, panel];
