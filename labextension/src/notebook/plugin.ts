/**
 * Plugins of notebooks, status bar, launcher and palette: wiring only.
 *
 * Tokens that Notebook 7 does not have (launcher, status bar) are optional.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ICommandPalette,
  ISessionContextDialogs,
  IToolbarWidgetRegistry,
  SessionContextDialogs
} from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { ILauncher } from '@jupyterlab/launcher';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, IEngineManager, IFrontNotebook, NAMESPACE } from '../tokens';
import { Attacher } from './attach';
import { addCommands } from './commands';
import { Links } from './links';
import { EnginesStatus } from './statusbar';
import { EngineItem } from './toolbar';

/** The item's name in the schema (schema/notebook.json). */
const ITEM = 'rucat-engine';

const front: JupyterFrontEndPlugin<IFrontNotebook> = {
  id: `${NAMESPACE}:front-notebook`,
  description: 'Tracks which engine each open notebook uses.',
  autoStart: true,
  requires: [INotebookTracker, IEngineManager],
  provides: IFrontNotebook,
  activate: (_: JupyterFrontEnd, tracker: INotebookTracker, manager: IEngineManager) =>
    new Links(tracker, manager, PageConfig.getOption('serverRoot'))
};

const notebook: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:notebook`,
  description: 'Attaches engines to notebooks, and shows the engine in the notebook toolbar.',
  autoStart: true,
  requires: [INotebookTracker, IEngineManager, IFrontNotebook],
  optional: [IToolbarWidgetRegistry, ISessionContextDialogs, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    manager: IEngineManager,
    frontNotebook: IFrontNotebook,
    toolbars: IToolbarWidgetRegistry | null,
    sessionDialogs: ISessionContextDialogs | null,
    anyTranslator: ITranslator | null
  ) => {
    const { commands, serviceManager, shell } = app;
    const links = frontNotebook as Links; // created by the plugin above
    const translator = anyTranslator ?? nullTranslator;
    const trans = translator.load(NAMESPACE);
    const attacher = new Attacher({
      tracker,
      manager,
      links,
      translator,
      trans,
      dialogs: sessionDialogs ?? new SessionContextDialogs({ translator }),
      open: path => commands.execute('docmanager:open', { path }),
      create: () =>
        commands.execute('notebook:create-new', {
          kernelName: serviceManager.kernelspecs.specs?.default ?? ''
        }),
      show: panel => shell.activateById(panel.id)
    });
    addCommands({ commands, manager, links, attacher, trans });
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      ITEM,
      panel => new EngineItem(panel, { links, manager, commands, trans })
    );
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:status`,
  description: 'Shows the number of engines in the status bar.',
  autoStart: true,
  requires: [IEngineManager],
  optional: [IStatusBar, ITranslator],
  activate: (
    { commands }: JupyterFrontEnd,
    manager: IEngineManager,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!bar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const item = new EnginesStatus(manager, trans, () => {
      void commands.execute(CommandIDs.openPanel);
    });
    bar.registerStatusItem(`${NAMESPACE}:status`, {
      item,
      align: 'left',
      rank: 20,
      isActive: () => item.isActive,
      activeStateChanged: item.activeChanged
    });
  }
};

const entries: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:entries`,
  description: 'Adds the commands to the palette, and a card to the launcher.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ) => {
    const category = (translator ?? nullTranslator).load(NAMESPACE).__('Rucat');
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category, args: { isPalette: true } });
    }
    launcher?.add({ command: CommandIDs.create, category, args: { isLauncher: true } });
  }
};

export const plugins: JupyterFrontEndPlugin<any>[] = [front, notebook, status, entries];
