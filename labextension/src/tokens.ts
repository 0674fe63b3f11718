/**
 * The words of the front end: what REST answers, what the parts of the extension offer one another, and their ids.
 * Types only, and constants; no code that does anything.
 */
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

/** The namespace of ids, commands, settings and translations. */
export const NAMESPACE = 'rucat-jupyter';

/** What people see of an engine's state (docs/architecture.md: the life of an engine). */
export type Status =
  'Pending' | 'Running' | 'Unresponsive' | 'Stopping' | 'Stopped' | 'Failed' | 'Deleting';

/** What can be asked of an engine that exists. */
export type Verb = 'stop' | 'restart' | 'delete';

/** Any JSON object of REST whose fields the front end does not name. */
export type Json = { [key: string]: any };

/** Resources of the driver; memory as Spark writes it ("4g"). */
export interface IDriver {
  cores?: number | null;
  memory?: string | null;
  [key: string]: any;
}

/** Number and resources of the executors; memory as Spark writes it ("4g"). */
export interface IExecutorsSpec {
  instances?: number | null;
  cores?: number | null;
  memory?: string | null;
  min?: number | null;
  max?: number | null;
  [key: string]: any;
}

/** What was asked of an engine: the field `spec` of REST. */
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

/** Why a life ended that should not have. */
export interface IFailure {
  reason: string;
  message: string;
  hint: string;
  at: string;
}

/** The Spark Connect session that a notebook holds. */
export interface ISession {
  key: string;
  path: string;
  user_id: string;
  session_id: string;
  created_at: string | null;
}

/** How many executors there are, and why some are not. */
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

/** What runs now on an engine; null is what the engine does not tell. */
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

/** One line of an engine's history. */
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

/** A named template. */
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

/** All profiles, and the fields that they and a create may set. */
export interface IProfiles {
  profiles: IProfile[];
  default: string;
  platforms: string[];
  errors: string[];
  limits: { name: string; value: any; source: string; description: string }[];
  /** JSON Schema of a spec, with `$defs`. */
  fields: Json;
}

/** One of Spark's own settings, as Spark documents it. */
export interface IConf {
  key: string;
  /** Null: it has none, or Spark computes it. */
  default: string | null;
  /** Of its value: boolean, int, bytes, …; empty: not known. */
  kind: string;
  doc: string;
  since: string;
}

/** What would be created and started (`POST engines?dry_run=true`): see plan_views.PlanView of the service. */
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
  /** What may keep it from starting now. */
  warnings: string[];
}

/** What a create sends: a name, a profile, and any field of the spec. */
export interface ICreate {
  name?: string;
  profile?: string;
  platform?: string;
  [field: string]: any;
}

/** How the list stands to the truth. */
export type Connection =
  /** Nothing was read yet. */
  | { kind: 'loading' }
  /** The list is what the gateway says. */
  | { kind: 'ok' }
  /** Server or gateway do not answer; the list is as of `since`. */
  | { kind: 'offline'; since: Date; retryAt: Date | null; message: string }
  /** The Jupyter server has no extension of ours (404 without our form of error). */
  | { kind: 'missing' }
  /** The server says that this user may not (401, 403). */
  | { kind: 'forbidden'; message: string };

/**
 * The engines of this user, always as near to the truth as can be known: the one place that reads them.
 *
 * Jupyter's event bus is the hint, REST the truth. An action shows at once, and is corrected by the answer.
 */
export interface IEngineManager extends IDisposable {
  /** Engines, oldest first, as last read; with what an action that is under way will make of them. */
  readonly engines: ReadonlyArray<IEngine>;
  readonly connection: Connection;
  /** Engines or connection have changed. */
  readonly changed: ISignal<IEngineManager, void>;
  /** Resolves when the list was read once. */
  readonly ready: Promise<void>;
  /** The engine of that id or name, or undefined. */
  find(ref: string): IEngine | undefined;
  /** Read now, whatever the poll does. */
  refresh(): Promise<void>;
  /** Each rejects with a RucatError; the list is right again by then. */
  create(request: ICreate): Promise<IEngine>;
  stop(id: string): Promise<IEngine>;
  restart(id: string, changes?: Json): Promise<IEngine>;
  delete(id: string, options?: { force?: boolean }): Promise<IEngine>;
}

/** What other plugins, ours and third parties', ask for to get at the engines. */
export const IEngineManager = new Token<IEngineManager>(
  `${NAMESPACE}:IEngineManager`,
  'The engines of this user: list, state and actions.'
);

/** The notebook in front, and the engine that it is attached to: what the panel shows on top. */
export interface IFrontNotebook {
  /** Path of the notebook below the server's root, as Jupyter names it; null: no notebook is in front. */
  readonly path: string | null;
  /** Its engine, or undefined. */
  readonly engine: IEngine | undefined;
  readonly changed: ISignal<IFrontNotebook, void>;
}

/** What plugins ask for to know which engine the notebook in front uses. */
export const IFrontNotebook = new Token<IFrontNotebook>(
  `${NAMESPACE}:IFrontNotebook`,
  'The notebook in front and its engine.'
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
  /** Attach to the notebook in front, or to the one at `path?: string`; `insertOnly?: boolean`. */
  export const attach = 'rucat:attach';
  /** Detach the notebook in front, or the one at `path?: string`. */
  export const detach = 'rucat:detach';
  export const logs = 'rucat:logs';
  export const history = 'rucat:history';
  export const ui = 'rucat:spark-ui';
  /** Copy the line that attaches the engine. */
  export const copy = 'rucat:copy-attach-line';
  export const refresh = 'rucat:refresh';
}
