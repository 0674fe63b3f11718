/**
 * Rucat's REST routes as functions: the only caller of the server.
 *
 * Every call rejects with a RucatError: what the server said, in its own words and code, or why it said nothing.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IConf, ICreate, IEngine, IEvent, IOperation, IPlan, IProfiles, Json } from './tokens';

/** Code of an error that the server did not answer at all. */
export const NO_ANSWER = 'no_answer';
/** Code of a 404 that is not Rucat's: the server extension is not there. */
export const NO_EXTENSION = 'no_extension';

/** What went wrong with a call. */
export class RucatError extends Error {
  constructor(
    message: string,
    /** Rucat's stable code (docs/troubleshooting.md), or one of the constants above. */
    readonly code: string,
    /** HTTP status; 0 where nothing was answered. */
    readonly status: number,
    /** As the code says; `fields`: what is wrong with a request, by field. */
    readonly details: Json = {},
    /** Seconds after which trying again makes sense, where the server says so. */
    readonly retryAfter: number | null = null
  ) {
    super(message);
    this.name = 'RucatError';
  }
}

/** A page of the list of engines. */
export interface IEnginesAnswer {
  engines: IEngine[];
  token: string;
  next_page: number | null;
}

/** Rucat's routes on one Jupyter server. */
export class Api {
  constructor(
    private readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** All engines of this user, oldest first. */
  list(): Promise<IEnginesAnswer> {
    return this.json('GET', 'engines');
  }

  /** What stands for the whole list: equal as long as nothing in it changes. */
  async token(): Promise<string> {
    return ((await this.json('GET', 'engines?limit=1')) as IEnginesAnswer).token;
  }

  get(ref: string): Promise<IEngine> {
    return this.json('GET', this.engine(ref));
  }

  create(request: ICreate): Promise<IEngine> {
    return this.json('POST', 'engines', request);
  }

  /** What a create would do; nothing is made. */
  plan(request: ICreate, signal?: AbortSignal): Promise<IPlan> {
    return this.json('POST', 'engines?dry_run=true', request, signal);
  }

  stop(ref: string): Promise<IEngine> {
    return this.json('POST', this.engine(ref, 'stop'));
  }

  /** Start again, with `changes` of the spec from now on. */
  restart(ref: string, changes?: Json): Promise<IEngine> {
    return this.json('POST', this.engine(ref, 'restart'), changes);
  }

  delete(ref: string, force = false): Promise<IEngine> {
    return this.json('DELETE', this.engine(ref) + (force ? '?force=true' : ''));
  }

  async history(ref: string): Promise<IEvent[]> {
    return (await this.json('GET', this.engine(ref, 'history'))).events;
  }

  async operations(ref: string, signal?: AbortSignal): Promise<IOperation[]> {
    return (await this.json('GET', this.engine(ref, 'operations'), undefined, signal)).operations;
  }

  /** End what runs; resolves when the engine has been asked. */
  async cancel(ref: string, operation: string): Promise<void> {
    await this.json('POST', this.engine(ref, 'operations', operation, 'cancel'));
  }

  profiles(): Promise<IProfiles> {
    return this.json('GET', 'profiles');
  }

  /** Spark's own settings, by key. */
  async confs(): Promise<IConf[]> {
    return (await this.json('GET', 'confs')).confs;
  }

  /** The last lines of the driver's log. */
  async logs(ref: string, tail: number): Promise<string> {
    return (await this.request('GET', `${this.engine(ref, 'logs')}?tail=${tail}`)).text();
  }

  /** The log's last lines and all that come, in pieces of text, until the life ends or `signal` aborts. */
  async *follow(ref: string, tail: number, signal: AbortSignal): AsyncGenerator<string> {
    const path = `${this.engine(ref, 'logs')}?tail=${tail}&follow=true`;
    const response = await this.request('GET', path, undefined, signal);
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        yield decoder.decode(value, { stream: true });
      }
    } catch (error) {
      if (!signal.aborted) {
        throw noAnswer(error);
      }
    } finally {
      reader.cancel().catch(() => undefined);
    }
  }

  /** Absolute address of a page that REST names relative to Rucat's base URL (an engine's `ui_url`). */
  url(relative: string): string {
    return URLExt.join(this.settings.baseUrl, relative);
  }

  private engine(ref: string, ...parts: string[]): string {
    return ['engines', ref, ...parts].map(encodeURIComponent).join('/');
  }

  private async json(
    method: string,
    path: string,
    body?: Json,
    signal?: AbortSignal
  ): Promise<any> {
    const response = await this.request(method, path, body, signal);
    try {
      return response.status === 204 ? undefined : await response.json();
    } catch (error) {
      throw noAnswer(error);
    }
  }

  private async request(
    method: string,
    path: string,
    body?: Json,
    signal?: AbortSignal
  ): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        URLExt.join(this.settings.baseUrl, 'rucat/') + path,
        {
          method,
          signal,
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })
        },
        this.settings
      );
    } catch (error) {
      throw noAnswer(error);
    }
    if (!response.ok) {
      throw await refusal(response);
    }
    return response;
  }
}

/** What an answer that says no says. */
async function refusal(response: Response): Promise<RucatError> {
  const retry = Number(response.headers.get('Retry-After')) || null;
  let said: Json | null = null;
  try {
    said = await response.json();
  } catch {
    // not our form: a proxy's page, or Jupyter's own 404
  }
  if (said && typeof said.code === 'string' && typeof said.message === 'string') {
    return new RucatError(said.message, said.code, response.status, said.details ?? {}, retry);
  }
  const code = response.status === 404 ? NO_EXTENSION : NO_ANSWER;
  return new RucatError(
    `${response.status} ${response.statusText}`,
    code,
    response.status,
    {},
    retry
  );
}

function noAnswer(error: unknown): RucatError {
  return new RucatError(error instanceof Error ? error.message : String(error), NO_ANSWER, 0);
}
