/**
 * Model of the create dialog, without DOM: profiles, user input, plan, and one create at a time.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';

import type { Api } from '../api';
import { isLoggedOut, RucatError } from '../api';
import type {
  IConf,
  ICreate,
  IEngine,
  IEngineManager,
  IPlan,
  IProfile,
  IProfiles
} from '../tokens';
import type { IField } from './fields';
import { fieldsOf, nameField } from './fields';
import { plain, refusalOf } from './refusals';
import type { AllTyped, Typed, Wrong } from './values';
import { requestOf } from './values';

/** Pause after the last keystroke before the plan is requested. */
export const PLAN_AFTER_MS = 400;

/** Attempts to load the profiles while the server asks for a retry: about half a minute. */
const LOAD_TRIES = 4;

/** State of the profiles. */
export type Loading = { kind: 'loading' } | { kind: 'failed'; message: string } | { kind: 'ready' };

/** State of the plan. */
export type Planned =
  | { kind: 'asking' }
  /** The plan matches the current input. */
  | { kind: 'plan'; plan: IPlan }
  /** The current input cannot be created. */
  | { kind: 'wrong'; at: Wrong; rest: string[] };

/** The part of the API that the form needs besides the manager. */
export type IPlanner = Pick<Api, 'profiles' | 'plan' | 'confs'>;

/** State and actions of the dialog. */
export class CreateModel extends VDomModel {
  constructor(options: CreateModel.IOptions) {
    super();
    this.trans = options.trans;
    this._options = options;
    options.manager.changed.connect(this._onEngines, this);
  }

  readonly trans: TranslationBundle;

  loading: Loading = { kind: 'loading' };
  profiles: IProfiles | null = null;
  profile: IProfile | null = null;
  /** The fields of the profile's platform, the name first. */
  fields: IField[] = [];
  planned: Planned = { kind: 'asking' };
  /** Last plan of this profile: what the platform chooses for empty fields. */
  defaults: IPlan | null = null;
  /** Problems of the last create that belong to no field. */
  problems: string[] = [];
  /** Number of failed creates; each one moves the focus to the first invalid field. */
  refusals = 0;
  isBusy = false;
  isUnfolded = false;
  /** Spark settings; empty until *More settings* is open, and when they cannot be loaded. */
  confs: ReadonlyArray<IConf> = [];
  /** Number of confs added from the search; each one moves the focus to the value in the last row. */
  added = 0;
  query = '';

  /** User input by path; it survives a change of the profile. */
  get typed(): Readonly<AllTyped> {
    return this._typed;
  }

  /** Label of a field. */
  label(path: string): string {
    return this.fields.find(field => field.path === path)?.label ?? this.trans.__('Profile');
  }

  /** Errors of the fields that the user has left or submitted. */
  get wrong(): Wrong {
    const all = { ...this._wrong, ...this._refused };
    return Object.fromEntries(Object.entries(all).filter(([path]) => this._left.has(path)));
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.manager.changed.disconnect(this._onEngines, this);
    this._debouncer.dispose();
    this._asked?.abort();
    super.dispose();
  }

  /** Load the profiles and choose one; wait for a gateway that is still starting. */
  async load(): Promise<void> {
    this._set({ loading: { kind: 'loading' } });
    try {
      const profiles = await this._readProfiles();
      this._set({ profiles, loading: { kind: 'ready' } });
      const first = firstOf(profiles, this._options.wanted);
      if (first) {
        this.choose(first.name);
      }
    } catch (error) {
      this._isLoggedOut = isLoggedOut(error);
      this._set({ loading: { kind: 'failed', message: plain(known(error), this.trans) } });
    }
  }

  /** Choose another profile; the input is kept. */
  choose(name: string): void {
    const profile = this.profiles?.profiles.find(one => one.name === name);
    if (!profile || !this.profiles) {
      return;
    }
    const fields = fieldsOf(this.profiles.fields, profile.platform, this.trans);
    this._refused = {};
    this._set({
      profile,
      fields: [nameField(this.trans), ...fields],
      defaults: null,
      problems: []
    });
    this._check();
    this._planNow();
  }

  /** Set the input of a field. */
  type(path: string, value: Typed): void {
    this._typed = { ...this._typed, [path]: value };
    this._refused = without(this._refused, path);
    this._check();
    this._set({ planned: { kind: 'asking' } });
    this._asked?.abort();
    this._debouncer.invoke().catch(() => undefined); // rejects when the dialog is disposed
  }

  /** The user left the field: from now on its errors are shown. */
  leave(path: string): void {
    if (!this._left.has(path)) {
      this._left.add(path);
      this.stateChanged.emit();
    }
  }

  /** Open or close *More settings*. */
  unfold(isUnfolded: boolean): void {
    this._set({ isUnfolded });
    if (isUnfolded) {
      void this._readConfs();
    }
  }

  /** Add a row for a conf; it replaces an empty row. */
  addConf(key: string): void {
    const rows = Array.isArray(this._typed.conf) ? this._typed.conf : [];
    const kept = rows.filter(row => row.key !== key && (row.key || row.value));
    const own = rows.find(row => row.key === key) ?? { key, value: '' };
    this._set({ added: this.added + 1 });
    this.type('conf', [...kept, own]);
  }

  /** Filter *More settings* by these words. */
  search(query: string): void {
    this._set({ query });
  }

  /** Create the engine; null when that fails, and the form shows why. */
  async submit(): Promise<IEngine | null> {
    if (this.isBusy || !this.profile) {
      return null;
    }
    this.fields.forEach(field => this._left.add(field.path));
    const request = this._check();
    if (Object.keys(this._wrong).length) {
      this._refuse(this._wrong, []);
      return null;
    }
    this._set({ isBusy: true, problems: [] });
    try {
      return await this._options.manager.create(request);
    } catch (error) {
      this._isLoggedOut = isLoggedOut(error);
      const { at, rest } = refusalOf(known(error), this._paths, this.trans);
      this._refused = at;
      this._refuse(at, rest);
      return null;
    } finally {
      this._set({ isBusy: false });
    }
  }

  /** Load the profiles; retry a few times if the server sends `Retry-After`. */
  private async _readProfiles(tries = LOAD_TRIES): Promise<IProfiles> {
    try {
      return await this._options.api.profiles();
    } catch (error) {
      const { retryAfter } = known(error);
      if (retryAfter === null || tries <= 1 || this.isDisposed) {
        throw error;
      }
      await new Promise(resolve => setTimeout(resolve, retryAfter * 1000));
      return this._readProfiles(tries - 1);
    }
  }

  /** Optional: without them the form only lacks the completion of keys. */
  private async _readConfs(): Promise<void> {
    this._confs ??= this._options.api.confs().catch(error => {
      known(error);
      this._confs = null; // loaded again when the section is opened again
      return [];
    });
    const confs = await this._confs;
    if (confs !== this.confs) {
      this._set({ confs });
    }
  }

  /** Report a failed create; open *More settings* if it contains an invalid field. */
  private _refuse(at: Wrong, problems: string[]): void {
    if (this.isDisposed) {
      const said = Object.entries(at).map(([path, line]) => `${this.label(path)}: ${line}`);
      this._options.lost([...said, ...problems].join('\n'));
      return;
    }
    const isFolded = this.fields.some(field => !field.isCommon && field.path in at);
    this._set({
      problems,
      refusals: this.refusals + 1,
      ...(isFolded ? { isUnfolded: true, query: '' } : {})
    });
  }

  private get _paths(): string[] {
    return this.fields.map(field => field.path);
  }

  /** Build the request from the current input, and store its errors. */
  private _check(): ICreate {
    const { request, wrong } = requestOf(this.fields, this._typed, this.trans);
    this._wrong = wrong;
    return this.profile ? { ...request, profile: this.profile.name } : request;
  }

  /** Request the plan; abort an older request. */
  private async _ask(): Promise<void> {
    this._asked?.abort();
    if (this.isDisposed) {
      return;
    }
    const request = this._check();
    if (Object.keys(this._wrong).length) {
      this._set({ planned: { kind: 'wrong', at: this._wrong, rest: [] } });
      return;
    }
    const asked = (this._asked = new AbortController());
    try {
      const plan = await this._options.api.plan(request, asked.signal);
      if (!asked.signal.aborted) {
        this._refused = {};
        this._set({ planned: { kind: 'plan', plan }, defaults: plan });
      }
    } catch (error) {
      if (!asked.signal.aborted) {
        this._showRefused(known(error));
      }
    }
  }

  /** After another login, ask again what failed for the old one. */
  private _onEngines(): void {
    if (!this._isLoggedOut || this._options.manager.connection.kind !== 'ok') {
      return;
    }
    this._isLoggedOut = false;
    if (this.loading.kind === 'failed') {
      void this.load();
    } else {
      this._set({ problems: [] });
      this._planNow();
    }
  }

  private _showRefused(error: RucatError): void {
    this._isLoggedOut = isLoggedOut(error);
    const { at, rest } = refusalOf(error, this._paths, this.trans);
    this._refused = at;
    this._set({ planned: { kind: 'wrong', at, rest } });
  }

  private _planNow(): void {
    this._set({ planned: { kind: 'asking' } });
    void this._ask();
  }

  private _set(changes: Partial<CreateModel>): void {
    if (!this.isDisposed) {
      Object.assign(this, changes);
      this.stateChanged.emit();
    }
  }

  private readonly _options: CreateModel.IOptions;
  private _typed: AllTyped = {};
  private _wrong: Wrong = {};
  private _refused: Wrong = {};
  private readonly _left = new Set<string>(['profile']);
  private _asked: AbortController | null = null;
  /** Whether the last call failed because the login has expired. */
  private _isLoggedOut = false;
  private _confs: Promise<IConf[]> | null = null;
  private readonly _debouncer = new Debouncer(() => this._ask(), PLAN_AFTER_MS);
}

/** Types of CreateModel. */
export namespace CreateModel {
  /** Dependencies of the model. */
  export interface IOptions {
    manager: Pick<IEngineManager, 'create' | 'changed' | 'connection'>;
    api: IPlanner;
    trans: TranslationBundle;
    /** The initial profile; empty: the gateway's default. */
    wanted: string;
    /** Called when a create fails after the dialog was closed. */
    lost: (said: string) => void;
  }
}

/** The wanted profile, else the default, else the first available one. */
function firstOf({ profiles, default: standard }: IProfiles, wanted: string): IProfile | undefined {
  const available = profiles.filter(profile => profile.available);
  const named = (name: string) => available.find(profile => profile.name === name);
  return named(wanted) ?? named(standard) ?? available[0];
}

function without(wrong: Wrong, path: string): Wrong {
  return Object.fromEntries(Object.entries(wrong).filter(([one]) => one !== path));
}

function known(error: unknown): RucatError {
  if (error instanceof RucatError) {
    return error;
  }
  throw error;
}
