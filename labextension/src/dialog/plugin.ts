/**
 * Plugins of the create dialog: wiring only.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from '../api';
import { engineIcon } from '../icons';
import { CommandIDs, IEngineManager, NAMESPACE } from '../tokens';

/** Id of the plugin that owns the settings of the extension. */
const SETTINGS = `${NAMESPACE}:plugin`;

const ARGUMENTS = {
  type: 'object',
  properties: {
    profile: { type: 'string', description: 'The profile that is selected when the dialog opens.' }
  }
} as const;

const create: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:create`,
  description: 'The command that opens the create dialog.',
  autoStart: true,
  requires: [IEngineManager],
  optional: [ITranslator, ISettingRegistry, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    manager: IEngineManager,
    translator: ITranslator | null,
    settings: ISettingRegistry | null,
    notebooks: INotebookTracker | null
  ) => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const api = new Api(app.serviceManager.serverSettings);
    let isOpen = false;

    const open = async (asked: unknown) => {
      // loaded on first use: the form is the largest part of the extension
      const [{ CreateModel }, { showCreateDialog }] = await Promise.all([
        import('./model'),
        import('./dialog')
      ]);
      const profile = typeof asked === 'string' ? asked : await standard(settings);
      const model = new CreateModel({
        manager,
        api,
        trans,
        wanted: profile,
        lost: said => void Notification.error(said)
      });
      const isNotebookInFront = Boolean(notebooks?.currentWidget?.isVisible);
      const canAttach = isNotebookInFront && app.commands.hasCommand(CommandIDs.attach);
      const made = await showCreateDialog(model, { canAttach });
      if (made?.attach) {
        await app.commands.execute(CommandIDs.attach, { engine: made.engine.id });
      }
      return made?.engine.id ?? null;
    };

    app.commands.addCommand(CommandIDs.create, {
      label: args => (args['isPalette'] ? trans.__('Create Engine') : trans.__('Create Engine…')),
      caption: trans.__('Create a Spark engine'),
      icon: args => (args['isLauncher'] ? engineIcon : undefined),
      describedBy: { args: ARGUMENTS },
      execute: async args => {
        if (isOpen) {
          return null; // a second click while the dialog loads
        }
        isOpen = true;
        try {
          return await open(args['profile']);
        } finally {
          isOpen = false;
        }
      }
    });
  }
};

/** The profile from the user's settings; empty: the gateway's default. */
async function standard(settings: ISettingRegistry | null): Promise<string> {
  try {
    const found = await settings?.get(SETTINGS, 'defaultProfile');
    return typeof found?.composite === 'string' ? found.composite : '';
  } catch {
    return ''; // the schema of this extension is not installed: there are no settings
  }
}

/** The plugins of this part. */
export const plugins: JupyterFrontEndPlugin<any>[] = [create];
