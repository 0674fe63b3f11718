/**
 * Types of the REST API, and the tokens and command ids of the extension.
 * Types and constants only.
 */
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

/** The namespace of ids, commands, settings and translations. */
export const NAMESPACE = 'rucat-jupyter';

/** The status that users see (docs/architecture.md: the life of an engine). */
export type Status =
  'Pending' | 'Running' | 'Unresponsive' | 'Stopping' | 'Stopped' | 'Failed' | 'Deleting';

/** Actions on an existing engine. */
export type Verb = 'stop' | 'restart' | 'delete';

/** A JSON object whose fields have no types here. */
export type Json = { [key: string]: any };

/** Resources of the driver; memory in Spark notation ("4g"). */
export interface IDriver {
  cores?: number | null;
  memory?: string | null;
  [key: string]: any;
}

/** Number and resources of the executors; memory in Spark notation ("4g"). */
export interface IExecutorsSpec {
  instances?: number | null;
  cores?: number | null;
  memory?: string | null;
  min?: number | null;
  max?: number | null;
  [key: string]: any;
}

/** The requested settings of an engine: the field `spec` of REST. */
export interface ISpec {
  spark_version?: string | null;
  image?: string | null;
  driver: IDriver;
  executors: IExecutorsSpec;
  conf: { [key: string]: string };
  idle_timeout_s?: number | null;
  max_lifetime_s?: number | null;
  kubernetes?: { namespace?: string | null; [key: string]: any };
  external?: { url?: string | null; [key: string]: any };
  [key: string]: any;
}

/** Why a run failed. */
export interface IFailure {
  reason: string;
  message: string;
  hint: string;
  at: string;
}

/** The Spark Connect session of a notebook. */
export interface ISession {
  key: string;
  path: string;
  user_id: string;
  session_id: string;
  created_at: string | null;
  is_attached: boolean;
}

/** The number of executors, and why some are missing. */
export interface IExecutors {
  wanted: number;
  running: number;
  pending: number;
  failed: number;
  reasons: string[];
}

/** An engine as REST shows it; times are RFC 3339 UTC. */
export interface IEngine {
  id: string;
  name: string;
  owner: string;
  platform: string;
  profile: string | null;
  spec: ISpec;
  state: string;
  target: string;
  run: number;
  status: Status;
  message: string;
  failure: IFailure | null;
  endpoint: { url: string; ui_url: string | null } | null;
  site: string;
  spark_version: string | null;
  python_version: string | null;
  verbs: Verb[];
  executors: IExecutors;
  sessions: ISession[];
  created_at: string;
  started_at: string | null;
  stopped_at: string | null;
  last_used_at: string | null;
  revision: number;
}

/** A running operation; null: the engine does not report it. */
export interface IOperation {
  id: string;
  session_key: string | null;
  notebook: string;
  cell: number | null;
  user_id: string;
  session_id: string;
  text: string;
  status: 'running' | 'cancelling';
  started_at: string | null;
  stages: number | null;
  stages_done: number | null;
  tasks: number | null;
  tasks_done: number | null;
  tags: string[];
}

/** One event in the history of an engine. */
export interface IEvent {
  at: string | null;
  actor: string;
  kind: string;
  reason: string;
  status: string;
  run: number;
  revision: number;
  name: string;
}

/** A named template of settings. */
export interface IProfile {
  name: string;
  platform: string;
  description: string;
  spec: Json;
  sources: string[];
  available: boolean;
  chain: string[];
  where: string;
  size: string;
  values: Json[];
}

/** All profiles, and the fields that a profile or a create can set. */
export interface IProfiles {
  profiles: IProfile[];
  default: string;
  platforms: string[];
  errors: string[];
  limits: { name: string; value: any; source: string; description: string }[];
  /** JSON Schema of a spec, with `$defs`. */
  fields: Json;
}

/** A Spark setting with its documentation. */
export interface IConf {
  key: string;
  /** Null: it has none, or Spark computes it. */
  default: string | null;
  /** Type of the value: boolean, int, bytes, …; empty: unknown. */
  kind: string;
  doc: string;
  since: string;
}

/** Result of a dry run (`POST engines?dry_run=true`): see plan_views.PlanView of the service. */
export interface IPlan {
  name: string;
  platform: string;
  profile: string | null;
  site: string;
  spec: ISpec;
  spark_version: string | null;
  python_version: string | null;
  values: Json[];
  conf: Json[];
  outline: Json | null;
  blueprint: Json | null;
  exists: IEngine | null;
  /** Problems that may prevent the start. */
  warnings: string[];
}

/** Request of a create: a name, a profile, and any field of the spec. */
export interface ICreate {
  name?: string;
  profile?: string;
  platform?: string;
  [field: string]: any;
}

/** State of the connection to the gateway. */
export type Connection =
  /** The first read is in progress. */
  | { kind: 'loading' }
  /** The list is current. */
  | { kind: 'ok' }
  /** Server or gateway does not respond; the list is from before `since`. */
  | { kind: 'offline'; since: Date; retryAt: Date | null; message: string }
  /** The Rucat server extension is missing (a 404 without Rucat's error format). */
  | { kind: 'missing' }
  /** The user has no permission (401, 403), or is not logged in any more. */
  | { kind: 'forbidden'; message: string; isLoggedOut: boolean };

/**
 * The engines of this user, as current as possible: the only place that reads them.
 *
 * REST is the source of truth; events of Jupyter's event bus only trigger reads. An action shows its expected status
 * immediately; its response corrects it.
 */
export interface IEngineManager extends IDisposable {
  /** Engines as last read, oldest first, with the expected status of pending actions. */
  readonly engines: ReadonlyArray<IEngine>;
  readonly connection: Connection;
  /** Emitted when engines or connection change. */
  readonly changed: ISignal<IEngineManager, void>;
  /** Resolves after the first successful read. */
  readonly ready: Promise<void>;
  /** The engine with this id or name, or undefined. */
  find(ref: string): IEngine | undefined;
  /** Read now, independent of the poll. */
  refresh(): Promise<void>;
  /** Actions reject with a RucatError, after the list was read again. */
  create(request: ICreate): Promise<IEngine>;
  stop(id: string): Promise<IEngine>;
  restart(id: string, changes?: Json): Promise<IEngine>;
  delete(id: string, options?: { force?: boolean }): Promise<IEngine>;
}

/** Token of the engine manager, for plugins of this and of other extensions. */
export const IEngineManager = new Token<IEngineManager>(
  `${NAMESPACE}:IEngineManager`,
  'The engines of this user: list, state and actions.'
);

/** The current notebook and its engine, which the panel shows at the top. */
export interface IFrontNotebook {
  /** Path of the notebook relative to the root of the server; null: there is no current notebook. */
  readonly path: string | null;
  /** Its engine, or undefined. */
  readonly engine: IEngine | undefined;
  readonly changed: ISignal<IFrontNotebook, void>;
}

/** Token of the current notebook, for plugins that need its engine. */
export const IFrontNotebook = new Token<IFrontNotebook>(
  `${NAMESPACE}:IFrontNotebook`,
  'The current notebook and its engine.'
);

/** Commands of the extension; each takes `{ engine?: string }` (an id or a name) unless said otherwise. */
export namespace CommandIDs {
  /** Show the panel; `engine` opens its details. */
  export const openPanel = 'rucat:open-panel';
  /** Open the create dialog; `profile?: string`. */
  export const create = 'rucat:create';
  export const stop = 'rucat:stop';
  /** `memory?: string` restarts with that driver memory. */
  export const restart = 'rucat:restart';
  /** Asks before it deletes, unless `confirmed: true`. */
  export const remove = 'rucat:delete';
  /** Attach the current notebook, or the one at `path?: string`; `insertOnly?: boolean`. */
  export const attach = 'rucat:attach';
  /** Detach the current notebook, or the one at `path?: string`. */
  export const detach = 'rucat:detach';
  export const logs = 'rucat:logs';
  export const history = 'rucat:history';
  export const ui = 'rucat:spark-ui';
  /** Copy the line that attaches the engine. */
  export const copy = 'rucat:copy-attach-line';
  export const refresh = 'rucat:refresh';
}
