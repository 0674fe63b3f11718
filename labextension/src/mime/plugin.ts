/**
 * Renders engines in cell outputs: a plugin, because a plain MIME extension has no access to the engine manager.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api, RucatError } from '../api';
import { report } from '../report';
import { CommandIDs, IEngineManager, NAMESPACE } from '../tokens';
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
    const actions = actionsOf(app, manager, new Api(app.serviceManager.serverSettings), trans);
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

function actionsOf(
  app: JupyterFrontEnd,
  manager: IEngineManager,
  api: Api,
  trans: TranslationBundle
): IOutputActions {
  const run = (command: string, engine: string) => void app.commands.execute(command, { engine });
  return {
    attach: ({ id }) => run(CommandIDs.attach, id),
    show: ({ id }) => run(CommandIDs.openPanel, id),
    start: ({ id }) => {
      manager.restart(id).catch((error: unknown) => {
        report(trans, trans.__('Start'), error);
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
