/**
 * Plugins of logs, history and the Spark UI: wiring only.
 */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const plugins: JupyterFrontEndPlugin<any>[] = [];
