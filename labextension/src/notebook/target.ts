/**
 * Finds the notebook for an action (by path, or the current one), and starts its kernel.
 */
import type { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

/** The action is not possible; the message is for the user. */
export class NotDone extends Error {}

/** Dependencies of `findNotebook`. */
export interface IPlaces {
  tracker: INotebookTracker;
  trans: TranslationBundle;
  /** Open a document; resolves to undefined if it opens in another page of the browser. */
  open: (path: string) => Promise<unknown>;
  /** Create a notebook; resolves as `open`. */
  create: () => Promise<unknown>;
  /** Bring a notebook to the front. */
  show: (panel: NotebookPanel) => void;
}

/** The notebook at a path (opened if needed), or the current one; null: there is none, and the user knows. */
export async function findNotebook(places: IPlaces, path?: string): Promise<NotebookPanel | null> {
  const { tracker } = places;
  const panel =
    path === undefined
      ? (tracker.currentWidget ?? (await offerNotebook(places)))
      : (tracker.find(one => one.context.path === path) ?? own(tracker, await places.open(path)));
  if (panel) {
    places.show(panel);
    await panel.context.ready;
  }
  return panel;
}

async function offerNotebook(places: IPlaces): Promise<NotebookPanel | null> {
  const { trans, tracker } = places;
  const { button } = await showDialog({
    title: trans.__('Open a notebook first'),
    body: trans.__('An engine attaches to a notebook, and no notebook is open.'),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('New notebook') })]
  });
  return button.accept ? own(tracker, await places.create()) : null;
}

function own(tracker: INotebookTracker, widget: unknown): NotebookPanel | null {
  return tracker.find(one => one === widget) ?? null;
}

/** Make sure that a kernel runs; false: the user chose none. Throws NotDone for a kernel that is not Python. */
export async function needKernel(
  context: ISessionContext,
  dialogs: ISessionContextDialogs,
  trans: TranslationBundle
): Promise<boolean> {
  await context.initialize();
  if (context.hasNoKernel) {
    await startKernel(context, dialogs);
  }
  const kernel = context.session?.kernel;
  if (context.hasNoKernel || !kernel) {
    return false;
  }
  const spec = context.specsManager.specs?.kernelspecs[kernel.name];
  const language = spec?.language ?? (await kernel.info).language_info.name;
  if (language.toLowerCase() !== 'python') {
    const named = spec?.display_name ?? kernel.name;
    throw new NotDone(
      trans.__(
        'Engines attach to Python notebooks only; the kernel of this notebook is %1 (%2).',
        named,
        language
      )
    );
  }
  return true;
}

/** Start the previous or preferred kernel of the notebook, else let the user choose. */
async function startKernel(
  context: ISessionContext,
  dialogs: ISessionContextDialogs
): Promise<void> {
  const name = context.prevKernelName || context.kernelPreference.name;
  if (name && context.specsManager.specs?.kernelspecs[name]) {
    await context.changeKernel({ name });
  } else if (await context.startKernel()) {
    await dialogs.selectKernel(context);
  }
}
