/**
 * Rucat's REST routes as functions: the only caller of the server.
 *
 * A failed call rejects with a RucatError: the server's message and code, or the reason for a missing response.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { IConf, ICreate, IEngine, IEvent, IOperation, IPlan, IProfiles, Json } from './tokens';

/** Error code: the server did not respond. */
export const NO_ANSWER = 'no_answer';
/** Error code: a 404 that does not come from Rucat, so the server extension is missing. */
export const NO_EXTENSION = 'no_extension';

/** Error code: the user is not logged in any more. */
export const LOGGED_OUT = 'logged_out';

/** Page of Jupyter where users log in, relative to its base URL. */
export const LOGIN = 'login';

/** Emitted when a call fails because the user is not logged in any more. */
export const loggedOut = new Signal<object, void>({});

/** Whether the call failed because the user is not logged in any more. */
export function isLoggedOut(error: unknown): boolean {
  return error instanceof RucatError && error.code === LOGGED_OUT;
}

/** A failed call. */
export class RucatError extends Error {
  constructor(
    message: string,
    /** Rucat's stable code (docs/troubleshooting.md), or one of the constants above. */
    readonly code: string,
    /** HTTP status; 0 without a response. */
    readonly status: number,
    /** Details that depend on the code; `errors`: the problems of a request, by field. */
    readonly details: Json = {},
    /** Seconds to wait before a retry (`Retry-After`); null: the server sends none. */
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

  /** Token of the whole list; it changes when the list changes. */
  async token(): Promise<string> {
    return ((await this.json('GET', 'engines?limit=1')) as IEnginesAnswer).token;
  }

  get(ref: string): Promise<IEngine> {
    return this.json('GET', this.engine(ref));
  }

  create(request: ICreate): Promise<IEngine> {
    return this.json('POST', 'engines', request);
  }

  /** Dry run of a create: nothing is created. */
  plan(request: ICreate, signal?: AbortSignal): Promise<IPlan> {
    return this.json('POST', 'engines?dry_run=true', request, signal);
  }

  stop(ref: string): Promise<IEngine> {
    return this.json('POST', this.engine(ref, 'stop'));
  }

  /** Restart; `changes` are merged into the stored spec. */
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

  /** Cancel an operation; resolves when the engine has received the request. */
  async cancel(ref: string, operation: string): Promise<void> {
    await this.json('POST', this.engine(ref, 'operations', operation, 'cancel'));
  }

  profiles(): Promise<IProfiles> {
    return this.json('GET', 'profiles');
  }

  /** Spark settings, sorted by key. */
  async confs(): Promise<IConf[]> {
    return (await this.json('GET', 'confs')).confs;
  }

  /** The last lines of the driver's log. */
  async logs(ref: string, tail: number): Promise<string> {
    return (await this.request('GET', `${this.engine(ref, 'logs')}?tail=${tail}`)).text();
  }

  /** Stream the log: the last `tail` lines, then new ones, in chunks, until the run ends or `signal` aborts. */
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

  /** Absolute URL of a page that REST gives relative to the base URL of Jupyter (`ui_url` of an engine). */
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
    signal?: AbortSignal,
    isAgain = false
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
      const error = await refusal(response);
      if (error.details.is_cookie_renewed && !isAgain) {
        return this.request(method, path, body, signal, true); // nothing was done
      }
      throw error;
    }
    if (/html/.test(response.headers.get('Content-Type') ?? '')) {
      throw expired(401); // the login page of a hub or a proxy: no response of Rucat is a page
    }
    return response;
  }
}

/** Convert an error response to a RucatError. */
async function refusal(response: Response): Promise<RucatError> {
  const retry = Number(response.headers.get('Retry-After')) || null;
  let said: Json | null = null;
  try {
    said = await response.json();
  } catch {
    // not JSON from Rucat: a page of a proxy, or Jupyter's own 404
  }
  const isPage = /html/.test(response.headers.get('Content-Type') ?? '');
  if (
    response.status === 401 ||
    (response.status === 403 && (isPage || said?.details?.is_logged_in === false))
  ) {
    return expired(response.status); // a proxy answers with its login page
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

function expired(status: number): RucatError {
  loggedOut.emit();
  const message = 'your Jupyter login has expired: log in again in another tab';
  return new RucatError(message, LOGGED_OUT, status);
}

function noAnswer(error: unknown): RucatError {
  return new RucatError(error instanceof Error ? error.message : String(error), NO_ANSWER, 0);
}
