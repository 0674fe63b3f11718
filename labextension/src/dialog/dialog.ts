/**
 * The create dialog: JupyterLab's own, but it stays open until the engine is made, or somebody closes it.
 */
import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEngine } from '../tokens';
import { CreateBody } from './body';
import type { CreateModel } from './model';

/** The action of the button that also attaches. */
const ATTACH = 'attach';

/** What came of the dialog. */
export interface ICreated {
  engine: IEngine;
  /** Whether it is to be attached, too. */
  attach: boolean;
}

/** Show the dialog; null where it was closed. */
export async function showCreateDialog(
  model: CreateModel,
  options: { canAttach: boolean }
): Promise<ICreated | null> {
  const dialog = new CreateDialog(model, options.canAttach);
  void model.load();
  const { button, value } = await dialog.launch();
  return button.accept && value ? { engine: value, attach: button.actions.includes(ATTACH) } : null;
}

/** A dialog that closes by its accepting buttons only when the engine is made. */
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
      focusNodeSelector: 'input[type="radio"]:checked', // where the profiles are there already
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

  /** A click beside the dialog would lose what was typed. */
  protected override _evtClick(event: MouseEvent): void {
    const content = this.node.querySelector('.jp-Dialog-content');
    if (content?.contains(event.target as Node)) {
      super._evtClick(event);
    }
  }

  /** An input that has a use of its own for Enter keeps it. */
  protected override _evtKeydown(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (event.key !== 'Enter' || !target.closest('[data-keeps-enter]')) {
      super._evtKeydown(event);
    }
  }

  /** What is wrong is said by the form, also where a button is pressed: none is switched off. */
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

  /** Buttons keep the focus while they wait, so they are not disabled. */
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

/** The most likely one last, as JupyterLab has it, and by Enter. */
function buttons(trans: TranslationBundle, canAttach: boolean): Dialog.IButton[] {
  const create = Dialog.okButton({
    label: trans.__('Create'),
    caption: trans.__('Create the engine; it starts by itself')
  });
  const attach = Dialog.okButton({
    label: trans.__('Create and attach'),
    caption: trans.__('Create the engine, and attach the notebook in front to it'),
    actions: [ATTACH]
  });
  return [Dialog.cancelButton(), create, ...(canAttach ? [attach] : [])];
}
