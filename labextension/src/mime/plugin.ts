/**
 * Renders engines in cell outputs: a plugin, because a plain MIME extension has no access to the engine manager.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api, RucatError } from '../api';
import { CommandIDs, IEngineManager, NAMESPACE } from '../tokens';
import { plain } from '../words';
import type { IOutputActions } from './renderer';
import { EngineOutput, MIME } from './renderer';

/** Before text/html (50), which is the fallback without this extension. */
const RANK = 40;

const outputs: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:outputs`,
  description: 'Shows the current state of engines in the outputs of notebooks.',
  autoStart: true,
  requires: [IEngineManager, IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IEngineManager,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const actions = actionsOf(app, manager, new Api(app.serviceManager.serverSettings));
    rendermime.addFactory(
      {
        safe: true, // it creates text nodes only
        mimeTypes: [MIME],
        defaultRank: RANK,
        createRenderer: () => new EngineOutput(manager, actions, trans)
      },
      RANK
    );
  }
};

function actionsOf(app: JupyterFrontEnd, manager: IEngineManager, api: Api): IOutputActions {
  const run = (command: string, engine: string) => void app.commands.execute(command, { engine });
  return {
    attach: ({ id }) => run(CommandIDs.attach, id),
    show: ({ id }) => run(CommandIDs.openPanel, id),
    start: ({ id }) => {
      manager.restart(id).catch((error: unknown) => {
        Notification.error(plain(error instanceof Error ? error.message : error, 500));
      });
    },
    wasHere: async id => {
      try {
        return (await api.history(id)).length > 0;
      } catch (error) {
        if (error instanceof RucatError && error.code === 'not_found') {
          return false;
        }
        throw error;
      }
    }
  };
}

export const plugins: JupyterFrontEndPlugin<any>[] = [outputs];
