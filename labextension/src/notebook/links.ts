/**
 * Which engine each open notebook uses, and which one the notebook in front does.
 *
 * The kernel's word counts. While it is not known (the page was loaded while a cell runs), the notebook's latest
 * session on an engine that lives is taken for it; a session outlives kernels, so without a kernel it only says where
 * the notebook could go on.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IEngine, IEngineManager, IFrontNotebook } from '../tokens';
import type { IUsed } from './kernel';
import { KernelEngines } from './kernel';
import { enginesOf } from './paths';

/** What is under way between a notebook and an engine. */
export type Phase =
  /** A kernel is chosen and started. */
  | 'kernel'
  /** The engine is started. */
  | 'engine'
  /** The kernel is busy, and will come to it. */
  | 'queued'
  /** The kernel does it. */
  | 'running';

/** Something under way. */
export interface IAttempt {
  verb: 'attach' | 'detach';
  /** The engine's name. */
  name: string;
  phase: Phase;
}

/** How a notebook stands to engines. */
export interface ILink {
  /** The engine that `spark` is on. */
  engine: IEngine | undefined;
  /** Where the notebook has a session that it could go on with; set when there is no `engine`. */
  kept: IEngine | undefined;
  /** Whether there are variables that `%rucat detach` would unbind. */
  isBound: boolean;
  attempt: IAttempt | undefined;
}

/** How the notebook stands, by what is known. */
export function linkOf(
  kernel: { used: ReadonlyArray<IUsed> | null; isBusyUnknown: boolean },
  engines: ReadonlyArray<IEngine>,
  sessions: () => IEngine[]
): Omit<ILink, 'attempt'> {
  const current = kernel.used?.[kernel.used.length - 1];
  const engine = current && engines.find(one => one.id === current.id);
  if (engine) {
    return { engine, kept: undefined, isBound: current.variables.length > 0 };
  }
  const held = sessions().filter(one => one.status !== 'Deleting');
  const living = held.find(one => one.status === 'Running' || one.status === 'Unresponsive');
  const kept = living ?? held[0];
  return kernel.isBusyUnknown && living
    ? { engine: living, kept: undefined, isBound: true }
    : { engine: undefined, kept, isBound: false };
}

/** The links of all open notebooks. */
export class Links implements IFrontNotebook, IDisposable {
  constructor(
    private readonly tracker: INotebookTracker,
    private readonly manager: IEngineManager,
    /** The server's root as Jupyter tells pages (`serverRoot`). */
    private readonly root: string
  ) {
    tracker.forEach(panel => this.add(panel));
    tracker.widgetAdded.connect(this.onAdded, this);
    tracker.currentChanged.connect(this.emit, this);
    manager.changed.connect(this.emit, this);
  }

  get path(): string | null {
    return this.tracker.currentWidget?.context.path ?? null;
  }

  get engine(): IEngine | undefined {
    const panel = this.tracker.currentWidget;
    return panel ? this.of(panel).engine : undefined;
  }

  /** Some notebook's link, or which notebook is in front, has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** How a notebook stands to engines. */
  of(panel: NotebookPanel): ILink {
    const path = panel.context.localPath;
    const { engines } = this.manager;
    const sessions = (): IEngine[] => enginesOf(engines, path, this.root);
    const kernel = this.kernels.get(panel) ?? { used: [], isBusyUnknown: false };
    return { ...linkOf(kernel, engines, sessions), attempt: this.attempts.get(panel) };
  }

  /** Say what is under way with a notebook. */
  setAttempt(panel: NotebookPanel, attempt: IAttempt): void {
    this.attempts.set(panel, attempt);
    this.emit();
  }

  /** Say that it has ended; what came after it stays. */
  endAttempt(panel: NotebookPanel, attempt: IAttempt): void {
    if (this.attempts.get(panel) === attempt) {
      this.attempts.delete(panel);
      this.emit();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.kernels.forEach(kernel => kernel.dispose());
    Signal.clearData(this);
  }

  private onAdded(_: INotebookTracker, panel: NotebookPanel): void {
    this.add(panel);
    this.emit();
  }

  private add(panel: NotebookPanel): void {
    const kernel = new KernelEngines(panel.sessionContext);
    this.kernels.set(panel, kernel);
    kernel.changed.connect(this.emit, this);
    panel.context.pathChanged.connect(this.emit, this);
    panel.disposed.connect(() => {
      kernel.dispose();
      this.kernels.delete(panel);
      this.attempts.delete(panel);
    });
  }

  private emit(): void {
    this._changed.emit();
  }

  private readonly kernels = new Map<NotebookPanel, KernelEngines>();
  private readonly attempts = new Map<NotebookPanel, IAttempt>();
  private _isDisposed = false;
  private readonly _changed = new Signal<this, void>(this);
}
