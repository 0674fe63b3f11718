/**
 * Icons of the extension.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import engineSvg from '../style/icons/engine.svg';

/** The Rucat icon: panel, launcher card, palette, settings. */
export const engineIcon = new LabIcon({ name: 'rucat:engine', svgstr: engineSvg });
