/**
 * Plugins of the side panel and of what it rests on: wiring only.
 */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const plugins: JupyterFrontEndPlugin<any>[] = [];
