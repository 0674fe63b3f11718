/**
 * The extension: the plugins of its parts.
 */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { plugins as dialog } from './dialog/plugin';
import { plugins as documents } from './documents/plugin';
import { plugins as notebook } from './notebook/plugin';
import { plugins as panel } from './panel/plugin';

const plugins: JupyterFrontEndPlugin<any>[] = [...panel, ...dialog, ...documents, ...notebook];

export default plugins;
