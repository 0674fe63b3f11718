/**
 * The create dialog: a JupyterLab dialog that stays open until the engine is created or the user closes it.
 */
import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine } from '../tokens';
import { CreateBody } from './body';
import type { CreateModel } from './model';

/** The action of the button that also attaches. */
const ATTACH = 'attach';

/** Result of the dialog. */
export interface ICreated {
  engine: IEngine;
  /** Whether to attach the current notebook, too. */
  attach: boolean;
}

/** Show the dialog; null when the user closes it. */
export async function showCreateDialog(
  model: CreateModel,
  options: { canAttach: boolean }
): Promise<ICreated | null> {
  const dialog = new CreateDialog(model, options.canAttach);
  void model.load();
  const { button, value } = await dialog.launch();
  return button.accept && value ? { engine: value, attach: button.actions.includes(ATTACH) } : null;
}

/** Its accept buttons close the dialog only after the engine is created. */
class CreateDialog extends Dialog<IEngine> {
  constructor(
    private readonly _model: CreateModel,
    canAttach: boolean
  ) {
    const trans = _model.trans;
    const body = new CreateBody(_model);
    super({
      title: trans.__('Create an engine'),
      body,
      buttons: buttons(trans, canAttach),
      focusNodeSelector: 'input[type="radio"]:checked', // if the profiles are loaded already
      hasClose: true
    });
    this._createBody = body;
    this.addClass('jp-Rucat-createDialog');
    this.node.setAttribute('aria-label', trans.__('Create an engine'));
    _model.stateChanged.connect(this._showBusy);
  }

  override dispose(): void {
    this._model.stateChanged.disconnect(this._showBusy);
    super.dispose();
    this._model.dispose();
  }

  override resolve(index?: number): void {
    const chosen = index ?? this._all.length - 1;
    if (this._all[chosen]?.classList.contains('jp-mod-accept')) {
      void this._submit(chosen);
    } else {
      super.resolve(chosen);
    }
  }

  /** A click outside does not close the dialog: the input would be lost. */
  protected override _evtClick(event: MouseEvent): void {
    const content = this.node.querySelector('.jp-Dialog-content');
    if (content?.contains(event.target as Node)) {
      super._evtClick(event);
    }
  }

  /** Inputs with `data-keeps-enter` handle Enter themselves. */
  protected override _evtKeydown(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (event.key !== 'Enter' || !target.closest('[data-keeps-enter]')) {
      super._evtKeydown(event);
    }
  }

  /** The form shows errors after a press, so buttons are never disabled. */
  protected override _checkValidation(): void {
    return;
  }

  private async _submit(index: number): Promise<void> {
    const engine = await this._model.submit();
    if (engine && !this.isDisposed) {
      this._createBody.engine = engine;
      super.resolve(index);
    }
  }

  /** `aria-disabled` instead of `disabled`: a busy button keeps the focus. */
  private readonly _showBusy = (): void => {
    const { isBusy, profile } = this._model;
    for (const button of this._all.filter(one => one.classList.contains('jp-mod-accept'))) {
      button.setAttribute('aria-disabled', String(isBusy || !profile));
      button.setAttribute('aria-busy', String(isBusy));
    }
  };

  private get _all(): HTMLButtonElement[] {
    return Array.from(this.node.querySelectorAll('.jp-Dialog-footer .jp-Dialog-button'));
  }

  private readonly _createBody: CreateBody;
}

/** The default button comes last, as in JupyterLab; Enter presses it. */
function buttons(trans: TranslationBundle, canAttach: boolean): Dialog.IButton[] {
  const create = Dialog.okButton({
    label: trans.__('Create'),
    caption: trans.__('Create and start the engine')
  });
  const attach = Dialog.okButton({
    label: trans.__('Create and attach'),
    caption: trans.__('Create the engine and attach the current notebook to it'),
    actions: [ATTACH]
  });
  return [Dialog.cancelButton(), create, ...(canAttach ? [attach] : [])];
}
