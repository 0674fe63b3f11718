/**
 * Which engine each open notebook uses, and the engine of the current notebook.
 *
 * The kernel decides. While its state is unknown (the page loaded while a cell runs), the latest session of the notebook
 * on a live engine is used instead. A session outlives its kernel, so without a kernel it only shows which engine the
 * notebook can attach to again.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IEngine, IEngineManager, IFrontNotebook } from '../tokens';
import type { IUsed } from './kernel';
import { KernelEngines } from './kernel';
import { enginesOf } from './paths';

/** Phase of an attach or a detach. */
export type Phase =
  /** The kernel is starting. */
  | 'kernel'
  /** The engine is starting. */
  | 'engine'
  /** The code waits, because the kernel is busy. */
  | 'queued'
  /** The kernel runs the code. */
  | 'running';

/** An attach or a detach in progress. */
export interface IAttempt {
  verb: 'attach' | 'detach';
  /** The engine's name. */
  name: string;
  phase: Phase;
}

/** Relation of a notebook to engines. */
export interface ILink {
  /** The engine of the variable `spark`. */
  engine: IEngine | undefined;
  /** An engine with a session of the notebook that it can attach to again; only set without `engine`. */
  kept: IEngine | undefined;
  /** Whether there are variables that `%rucat detach` deletes. */
  isBound: boolean;
  attempt: IAttempt | undefined;
}

/** Find the link of a notebook from its kernel, the engines and its sessions. */
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
    /** Root of the server from the page config (`serverRoot`). */
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

  /** Emitted when a link or the current notebook changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Relation of a notebook to engines. */
  of(panel: NotebookPanel): ILink {
    const path = panel.context.localPath;
    const { engines } = this.manager;
    const sessions = (): IEngine[] => enginesOf(engines, path, this.root);
    const kernel = this.kernels.get(panel) ?? { used: [], isBusyUnknown: false };
    return { ...linkOf(kernel, engines, sessions), attempt: this.attempts.get(panel) };
  }

  /** Set the attempt of a notebook. */
  setAttempt(panel: NotebookPanel, attempt: IAttempt): void {
    this.attempts.set(panel, attempt);
    this.emit();
  }

  /** Remove an attempt; a newer one stays. */
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
