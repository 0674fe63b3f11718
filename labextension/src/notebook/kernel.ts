/**
 * The engines that the kernel of a notebook uses, as the kernel announces them on a comm.
 *
 * The kernel opens one comm and sends each change. A page that loads later requests the state; a busy kernel answers when
 * its cell ends, and until then the state is unknown.
 */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { CommsOverSubshells } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** Name of the comm target, the same as in the Python package. */
export const TARGET = 'rucat_jupyter.engines';

/** An engine that a kernel uses, and the variables that hold its session. */
export interface IUsed {
  id: string;
  variables: string[];
}

/** The engines of the current kernel of one notebook. */
export class KernelEngines implements IDisposable {
  constructor(private readonly context: ISessionContext) {
    context.kernelChanged.connect(this.meet, this);
    context.statusChanged.connect(this.onStatus, this);
    this.meet();
  }

  /** The engines, the current one last; null: unknown. */
  get used(): ReadonlyArray<IUsed> | null {
    return this._used;
  }

  /** Whether the kernel was busy when the page connected, and has not answered yet. */
  get isBusyUnknown(): boolean {
    return this._used === null && this.wasBusy;
  }

  /** Emitted when `used` or `isBusyUnknown` has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.leave();
    Signal.clearData(this);
  }

  private meet(): void {
    const kernel = this.context.session?.kernel ?? null;
    if (kernel && kernel === this.kernel) {
      return; // Jupyter emits the same connection more than once
    }
    this.leave();
    this.kernel = kernel;
    this.wasBusy = kernel !== null && this.isAtWork(kernel);
    this.set(kernel ? null : []);
    if (kernel) {
      kernel.registerCommTarget(TARGET, this.onOpen);
      void this.ask(kernel);
    }
  }

  /** State according to the server: a new connection does not know it before the kernel answers. */
  private isAtWork(kernel: Kernel.IKernelConnection): boolean {
    const all = [...this.context.sessionManager.running()];
    return all.find(one => one.kernel?.id === kernel.id)?.kernel?.execution_state === 'busy';
  }

  private leave(): void {
    if (this.kernel && !this.kernel.isDisposed) {
      this.kernel.removeCommTarget(TARGET, this.onOpen);
    }
    this.kernel = null;
  }

  /** Find a comm that was opened before this page loaded, and request the state on it. */
  private async ask(kernel: Kernel.IKernelConnection): Promise<void> {
    try {
      if ((await kernel.info).language_info.name !== 'python' || !kernel.handleComms) {
        return; // another connection of this page handles the comms of the kernel
      }
      const reply = await kernel.requestCommInfo({ target_name: TARGET });
      if (this.kernel !== kernel || reply.content.status !== 'ok') {
        return;
      }
      const ids = Object.keys(reply.content.comms).filter(id => !kernel.hasComm(id));
      ids.forEach(id => this.askOn(kernel.createComm(TARGET, id)));
      if (Object.keys(reply.content.comms).length === 0) {
        this.set([]);
      }
    } catch {
      // the kernel ended or restarted during the request: the state stays unknown
    }
  }

  private askOn(comm: Kernel.IComm): void {
    this.listen(comm);
    comm.send({});
  }

  private readonly onOpen: Parameters<Kernel.IKernelConnection['registerCommTarget']>[1] = (
    comm,
    message
  ) => {
    this.listen(comm);
    this.hear(message.content.data);
  };

  private listen(comm: Kernel.IComm): void {
    comm.commsOverSubshells = CommsOverSubshells.Disabled; // messages can wait for the end of a cell
    comm.onMsg = message => this.hear(message.content.data);
  }

  private hear(data: unknown): void {
    const engines = (data as { engines?: unknown }).engines;
    if (Array.isArray(engines) && engines.every(isUsed)) {
      this.set(engines);
    }
  }

  private onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (['restarting', 'autorestarting', 'dead', 'terminating'].includes(status)) {
      this.set([]);
    }
  }

  private set(used: IUsed[] | null): void {
    if (JSON.stringify(used) !== JSON.stringify(this._used)) {
      this._used = used;
      this._changed.emit();
    }
  }

  private kernel: Kernel.IKernelConnection | null = null;
  private wasBusy = false;
  private _used: IUsed[] | null = null;
  private _isDisposed = false;
  private readonly _changed = new Signal<this, void>(this);
}

function isUsed(item: unknown): item is IUsed {
  const used = item as Partial<IUsed> | null;
  return typeof used?.id === 'string' && Array.isArray(used.variables);
}
