/**
 * Attaching the engine of a notebook, and letting go of it: everything from the click to the cell's end.
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

/** Where, and how far. */
export interface IAttachOptions {
  /** The notebook; default: the one in front. */
  path?: string;
  /** Only put the cell in; nothing runs. */
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

  /** Attach an engine (an id or a name) to a notebook; rejects with what people should read. */
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

  /** Have a notebook's kernel let go of its engine; engine and session live on. */
  async detach({ path }: { path?: string } = {}): Promise<void> {
    const panel = await findNotebook(this.options, path);
    if (!panel) {
      return;
    }
    const { engine, isBound } = this.options.links.of(panel);
    const { trans } = this.options;
    if (!engine) {
      throw new NotDone(trans.__('This notebook is attached to no engine.'));
    }
    if (!isBound) {
      throw new NotDone(
        trans.__(
          'The session on %1 is one that your own code asked for: spark.stop() closes it.',
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

  /** Say in the notebook's toolbar what is under way, as long as it is. */
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

  /** Have the notebook's one cell attach the engine, and show it; returns its index. */
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

  /** Run a verb in the kernel without a cell; returns what it said, or rejects with that. */
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
      throw new NotDone(text || this.options.trans.__('The kernel ended before it answered.'));
    }
    return text;
  }
}

/** Tell whether code that is run waits for the kernel, until the kernel begins with it. */
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

/** What a message of a running verb says to people. */
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
