/**
 * Plugins of the side panel and of what it rests on: wiring only.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Api } from '../api';
import { EngineManager } from '../manager/manager';
import { IEngineManager, NAMESPACE } from '../tokens';

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
    void restored.then(() => made.start()); // after what makes the page usable
    return made;
  }
};

export const plugins: JupyterFrontEndPlugin<any>[] = [manager];
