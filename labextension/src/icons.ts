/**
 * Pictures of the extension.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import engineSvg from '../style/icons/engine.svg';

/** Rucat itself: panel, launcher card, palette, settings. */
export const engineIcon = new LabIcon({ name: 'rucat:engine', svgstr: engineSvg });
