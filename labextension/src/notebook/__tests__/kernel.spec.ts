/** Pages receive which engines a kernel uses, also pages that load later. */
import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import type { IUsed } from '../kernel';
import { KernelEngines, TARGET } from '../kernel';

const SPARK: IUsed = { id: 'a', variables: ['spark'] };

/** A comm that records sent messages. */
class FakeComm {
  readonly sent: unknown[] = [];
  onMsg: (message: unknown) => void = () => undefined;
  send(data: unknown): void {
    this.sent.push(data);
  }
  tell(engines: IUsed[]): void {
    this.onMsg({ content: { data: { engines } } });
  }
}

/** A kernel that may have a comm of Rucat already. */
class FakeKernel {
  constructor(
    readonly id: string,
    private readonly there: string[] = [],
    private readonly language = 'python'
  ) {}
  readonly comms = new Map<string, FakeComm>();
  readonly handleComms = true;
  readonly isDisposed = false;
  readonly info = Promise.resolve({ language_info: { name: this.language } });
  targets: { [name: string]: (comm: FakeComm, message: unknown) => void } = {};
  asked = 0;

  registerCommTarget(name: string, callback: (comm: FakeComm, message: unknown) => void): void {
    this.targets[name] = callback;
  }
  removeCommTarget(name: string): void {
    delete this.targets[name];
  }
  hasComm(id: string): boolean {
    return this.comms.has(id);
  }
  createComm(_: string, id: string): FakeComm {
    this.comms.set(id, new FakeComm());
    return this.comms.get(id)!;
  }
  async requestCommInfo(): Promise<unknown> {
    this.asked += 1;
    return { content: { status: 'ok', comms: Object.fromEntries(this.there.map(id => [id, {}])) } };
  }
  /** As when the kernel opens it. */
  open(engines: IUsed[]): FakeComm {
    const comm = new FakeComm();
    this.targets[TARGET](comm, { content: { data: { engines } } });
    return comm;
  }
}

/** The session of a notebook. */
class FakeContext {
  readonly kernelChanged = new Signal<this, unknown>(this);
  readonly statusChanged = new Signal<this, string>(this);
  readonly sessionManager = {
    running: () => [{ kernel: { id: this.session?.kernel.id, execution_state: this.state } }]
  };
  session: { kernel: FakeKernel } | null = null;
  state = 'idle';

  give(kernel: FakeKernel | null): void {
    this.session = kernel && { kernel };
    this.kernelChanged.emit(undefined);
  }
}

function made(): { context: FakeContext; engines: KernelEngines } {
  const context = new FakeContext();
  return { context, engines: new KernelEngines(context as unknown as ISessionContext) };
}

const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve));

it('without a kernel there is no engine', () => {
  expect(made().engines.used).toEqual([]);
});

it('a kernel without a comm uses no engine, once it has answered', async () => {
  const { context, engines } = made();
  context.give(new FakeKernel('k'));
  expect(engines.used).toBeNull();
  await settled();
  expect(engines.used).toEqual([]);
});

it('each change arrives', async () => {
  const { context, engines } = made();
  const kernel = new FakeKernel('k');
  context.give(kernel);
  await settled();
  let changes = 0;
  engines.changed.connect(() => (changes += 1));
  const comm = kernel.open([SPARK]);
  expect(engines.used).toEqual([SPARK]);
  comm.tell([SPARK]);
  comm.tell([]);
  expect([engines.used, changes]).toEqual([[], 2]);
});

it('a page that loads later requests the state once on the existing comm', async () => {
  const { context, engines } = made();
  const kernel = new FakeKernel('k', ['c1']);
  context.give(kernel);
  context.give(kernel); // Jupyter emits it again
  await settled();
  expect([kernel.asked, kernel.comms.get('c1')!.sent]).toEqual([1, [{}]]);
  kernel.comms.get('c1')!.tell([SPARK]);
  context.give(kernel);
  expect(engines.used).toEqual([SPARK]);
});

it('a kernel that is busy at first has an unknown state until it answers', async () => {
  const { context, engines } = made();
  context.state = 'busy';
  const kernel = new FakeKernel('k', ['c1']);
  context.give(kernel);
  expect(engines.isBusyUnknown).toBe(true);
  await settled();
  kernel.comms.get('c1')!.tell([SPARK]);
  expect(engines.isBusyUnknown).toBe(false);
});

it.each(['restarting', 'autorestarting', 'dead', 'terminating'])(
  'nothing is used after %s',
  async status => {
    const { context, engines } = made();
    const kernel = new FakeKernel('k');
    context.give(kernel);
    kernel.open([SPARK]);
    context.statusChanged.emit(status);
    expect(engines.used).toEqual([]);
  }
);

it('a new kernel has its own state', async () => {
  const { context, engines } = made();
  const old = new FakeKernel('k');
  context.give(old);
  old.open([SPARK]);
  context.give(new FakeKernel('l'));
  expect([engines.used, old.targets]).toEqual([null, {}]);
});

it('kernels that are not Python are not asked', async () => {
  const { context } = made();
  const kernel = new FakeKernel('k', [], 'R');
  context.give(kernel);
  await settled();
  expect(kernel.asked).toBe(0);
});

it('invalid messages are ignored', async () => {
  const { context, engines } = made();
  const kernel = new FakeKernel('k');
  context.give(kernel);
  const comm = kernel.open([SPARK]);
  comm.tell([{ id: 1 }] as unknown as IUsed[]);
  comm.onMsg({ content: { data: {} } });
  expect(engines.used).toEqual([SPARK]);
});
