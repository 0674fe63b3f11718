/**
 * Attaches an engine to a notebook and detaches it: everything from the click to the end of the cell.
 */
import type { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import { Notification } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { KernelMessage } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';

import type { IEngine, IEngineManager } from '../tokens';
import { quoted } from '../words';
import { apply, cellsOf, changeFor } from './cell';
import type { IAttempt, Links, Phase } from './links';
import type { IPlaces } from './target';
import { NotDone, findNotebook, needKernel } from './target';
import { needsStart } from './words';

/** Options of an attach. */
export interface IAttachOptions {
  /** Path of the notebook; default: the current one. */
  path?: string;
  /** Only insert the cell; do not run it. */
  insertOnly?: boolean;
}

/** Attaches engines to notebooks. */
export class Attacher {
  constructor(
    private readonly options: IPlaces & {
      manager: IEngineManager;
      links: Links;
      dialogs: ISessionContextDialogs;
      translator: ITranslator;
    }
  ) {}

  /** Attach an engine (id or name) to a notebook; rejects with a message for the user. */
  async attach(ref: string, { path, insertOnly }: IAttachOptions = {}): Promise<void> {
    const engine = await this.engine(ref);
    const panel = await findNotebook(this.options, path);
    if (!panel) {
      return;
    }
    if (insertOnly) {
      this.insert(panel, engine);
      return;
    }
    await this.during(panel, { verb: 'attach', name: engine.name, phase: 'kernel' }, async tell => {
      const { dialogs, trans } = this.options;
      if (await needKernel(panel.sessionContext, dialogs, trans)) {
        await this.start(engine, tell);
        await this.run(panel, this.insert(panel, engine), tell);
      }
    });
  }

  /** Detach a notebook from its engine; engine and session keep running. */
  async detach({ path }: { path?: string } = {}): Promise<void> {
    const panel = await findNotebook(this.options, path);
    if (!panel) {
      return;
    }
    const { engine, isBound } = this.options.links.of(panel);
    const { trans } = this.options;
    if (!engine) {
      throw new NotDone(trans.__('This notebook is not attached to an engine.'));
    }
    if (!isBound) {
      throw new NotDone(
        trans.__(
          'Your own code created the session on %1. Call spark.stop() to close it.',
          engine.name
        )
      );
    }
    await this.during(
      panel,
      { verb: 'detach', name: engine.name, phase: 'running' },
      async tell => {
        const said = await this.execute(
          panel.sessionContext,
          `detach ${quoted(engine.name)}`,
          tell
        );
        Notification.info(said, { autoClose: 6000 });
      }
    );
  }

  private async engine(ref: string): Promise<IEngine> {
    const { manager, trans } = this.options;
    const found = manager.find(ref) ?? (await manager.refresh(), manager.find(ref));
    if (!found) {
      throw new NotDone(trans.__('There is no engine "%1".', ref));
    }
    if (found.status === 'Deleting') {
      throw new NotDone(trans.__('%1 is being deleted.', found.name));
    }
    return found;
  }

  /** Show the progress in the toolbar of the notebook while `act` runs. */
  private async during(
    panel: NotebookPanel,
    attempt: IAttempt,
    act: (tell: (phase: Phase) => void) => Promise<void>
  ): Promise<void> {
    const { links } = this.options;
    const mine = { ...attempt };
    const tell = (phase: Phase): void => links.setAttempt(panel, Object.assign(mine, { phase }));
    tell(attempt.phase);
    try {
      await act(tell);
    } finally {
      links.endAttempt(panel, mine);
    }
  }

  private async start(engine: IEngine, tell: (phase: Phase) => void): Promise<void> {
    const { manager } = this.options;
    if (needsStart(manager.find(engine.id) ?? engine)) {
      tell('engine');
      await manager.restart(engine.id);
    }
  }

  /** Insert or update the attach cell and scroll to it; returns its index. */
  private insert({ content }: NotebookPanel, engine: IEngine): number {
    const model = content.model!.sharedModel;
    const index = apply(model, changeFor(cellsOf(model), engine.name));
    content.deselectAll();
    content.mode = 'command';
    content.activeCellIndex = index;
    void content.scrollToItem(index, 'smart');
    return index;
  }

  private async run(
    panel: NotebookPanel,
    index: number,
    tell: (phase: Phase) => void
  ): Promise<void> {
    const { dialogs, translator } = this.options;
    const { content, sessionContext } = panel;
    const cell = content.widgets[index];
    const source = cell.model.sharedModel.getSource();
    await followed(sessionContext, source, tell, () =>
      NotebookActions.runCells(content, [cell], sessionContext, dialogs, translator)
    );
  }

  /** Run a verb in the kernel without a cell; returns its output, or rejects with it. */
  private async execute(
    context: ISessionContext,
    line: string,
    tell: (phase: Phase) => void
  ): Promise<string> {
    const kernel = context.session!.kernel!;
    const code = `get_ipython().run_line_magic("rucat", ${JSON.stringify(line)})`;
    const said: string[] = [];
    const future = kernel.requestExecute({ code, store_history: false });
    future.onIOPub = message => {
      said.push(wordsOf(message));
    };
    const reply = await followed(context, code, tell, () => future.done);
    const text = said.join('').trim();
    if (reply.content.status !== 'ok') {
      throw new NotDone(text || this.options.trans.__('The kernel stopped before it responded.'));
    }
    return text;
  }
}

/** Report `queued` while the kernel is busy, and `running` when it starts this code. */
async function followed<T>(
  context: ISessionContext,
  code: string,
  tell: (phase: Phase) => void,
  run: () => Promise<T>
): Promise<T> {
  const onMessage = (_: ISessionContext, message: KernelMessage.IMessage): void => {
    if (message.header.msg_type === 'execute_input' && (message.content as any).code === code) {
      tell('running');
    }
  };
  tell(context.session?.kernel?.status === 'busy' ? 'queued' : 'running');
  context.iopubMessage.connect(onMessage);
  try {
    return await run();
  } finally {
    context.iopubMessage.disconnect(onMessage);
  }
}

/** Text of a message from the kernel. */
function wordsOf(message: KernelMessage.IIOPubMessage): string {
  const { content } = message as { content: any };
  switch (message.header.msg_type) {
    case 'stream':
      return content.text;
    case 'error':
      return content.evalue;
    default:
      return '';
  }
}
