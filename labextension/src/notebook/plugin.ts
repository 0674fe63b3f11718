/**
 * Plugins of what notebooks, status bar, launcher and palette show of engines: wiring only.
 */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const plugins: JupyterFrontEndPlugin<any>[] = [];
