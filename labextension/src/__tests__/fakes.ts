/**
 * A server whose responses a test releases one by one, in any order.
 */
import { PromiseDelegate } from '@lumino/coreutils';

import type { Api, IEnginesAnswer } from '../api';
import type { IEngine } from '../tokens';

/** Responds immediately unless a test holds the call; records all calls. */
export class FakeApi {
  engines: IEngine[] = [];
  /** All calls: `list`, `token`, `stop id-etl`. */
  calls: string[] = [];
  /** If set, reads reject with this error. */
  trouble: Error | null = null;
  /** If set, calls of this name wait for `answer`. */
  held: string | null = null;

  get asApi(): Api {
    return this as unknown as Api;
  }

  list(): Promise<IEnginesAnswer> {
    const seen = this.engines;
    return this.call('list', () => ({ engines: seen, token: tokenOf(seen), next_page: null }));
  }

  token(): Promise<string> {
    return this.call('token', () => tokenOf(this.engines));
  }

  stop(id: string): Promise<IEngine> {
    return this.call(`stop ${id}`, () => this.change(id, { status: 'Stopping', verbs: [] }));
  }

  restart(id: string, changes?: unknown): Promise<IEngine> {
    const words = changes ? ` ${JSON.stringify(changes)}` : '';
    return this.call(`restart ${id}${words}`, () => this.change(id, { status: 'Pending' }));
  }

  delete(id: string): Promise<IEngine> {
    return this.call(`delete ${id}`, () => this.change(id, { status: 'Deleting' }));
  }

  create(): Promise<IEngine> {
    throw new Error('not faked');
  }

  get(id: string): Promise<IEngine> {
    return this.call(`get ${id}`, () => this.engines.find(engine => engine.id === id)!);
  }

  history(): Promise<never[]> {
    return Promise.resolve([]);
  }

  operations(): Promise<never[]> {
    return Promise.resolve([]);
  }

  profiles(): Promise<unknown> {
    return Promise.resolve({ profiles: [] });
  }

  /** Change an engine on the server, as another user would. */
  change(id: string, changes: Partial<IEngine>): IEngine {
    const old = this.engines.find(engine => engine.id === id)!;
    const next = { ...old, ...changes, revision: old.revision + 1 };
    this.engines = this.engines.map(engine => (engine === old ? next : engine));
    return next;
  }

  /** Release the oldest held call, with its response from the time of the call. */
  async answer(): Promise<void> {
    this._waiting.shift()!.resolve();
    await settled();
  }

  private async call<T>(words: string, answer: () => T): Promise<T> {
    this.calls.push(words);
    if (this.trouble) {
      throw this.trouble;
    }
    if (this.held && words.startsWith(this.held)) {
      const made = words === 'list' ? answer() : null;
      const wait = new PromiseDelegate<void>();
      this._waiting.push(wait);
      await wait.promise;
      return made ?? answer();
    }
    return answer();
  }

  private _waiting: PromiseDelegate<void>[] = [];
}

/** Run all promises that can continue. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await Promise.resolve();
  }
}

function tokenOf(engines: IEngine[]): string {
  return engines.map(({ id, revision }) => `${id}:${revision}`).join(';');
}
