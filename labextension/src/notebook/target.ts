/**
 * The notebook that an action means: the one named, or the one in front; and a kernel for it.
 */
import type { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

/** What people have to be told instead of what they asked for. */
export class NotDone extends Error {}

/** What finding a notebook needs. */
export interface IPlaces {
  tracker: INotebookTracker;
  trans: TranslationBundle;
  /** Open a document; resolves to nothing where that is in another page. */
  open: (path: string) => Promise<unknown>;
  /** Make a notebook; the same. */
  create: () => Promise<unknown>;
  /** Bring a notebook to the front. */
  show: (panel: NotebookPanel) => void;
}

/** The notebook at a path (opened where it is not), or the one in front; null: there is none, and people know. */
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
    body: trans.__('An engine is attached to a notebook, and none is open.'),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('New notebook') })]
  });
  return button.accept ? own(tracker, await places.create()) : null;
}

function own(tracker: INotebookTracker, widget: unknown): NotebookPanel | null {
  return tracker.find(one => one === widget) ?? null;
}

/** See to it that a kernel runs; false: the user chose none. Raises NotDone for a kernel that is no Python. */
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
        'Engines are attached to Python notebooks; the kernel here is %1 (%2).',
        named,
        language
      )
    );
  }
  return true;
}

/** Start the kernel that the notebook had or asks for, else let the user choose. */
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
