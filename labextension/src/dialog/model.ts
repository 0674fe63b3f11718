/**
 * What the create dialog knows and does, without a page: profiles, what was typed, the plan, and one create at a time.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';

import type { Api } from '../api';
import { RucatError } from '../api';
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

/** How long nothing may be typed before the plan is asked for. */
export const PLAN_AFTER_MS = 400;

/** How often the profiles are asked for where the server says that another try makes sense: half a minute. */
const LOAD_TRIES = 4;

/** What is known of the profiles. */
export type Loading = { kind: 'loading' } | { kind: 'failed'; message: string } | { kind: 'ready' };

/** What is known of the plan. */
export type Planned =
  | { kind: 'asking' }
  /** It is the plan of what is typed now. */
  | { kind: 'plan'; plan: IPlan }
  /** What is typed cannot be created as it is. */
  | { kind: 'wrong'; at: Wrong; rest: string[] };

/** The one part of the server that a form needs beside the manager. */
export type IPlanner = Pick<Api, 'profiles' | 'plan' | 'confs'>;

/** What the dialog shows. */
export class CreateModel extends VDomModel {
  constructor(options: CreateModel.IOptions) {
    super();
    this.trans = options.trans;
    this._options = options;
  }

  readonly trans: TranslationBundle;

  loading: Loading = { kind: 'loading' };
  profiles: IProfiles | null = null;
  profile: IProfile | null = null;
  /** The fields of the profile's platform, the name first. */
  fields: IField[] = [];
  planned: Planned = { kind: 'asking' };
  /** The last plan of this profile: what the platform chooses where nothing is typed. */
  defaults: IPlan | null = null;
  /** What kept the last create from happening, and belongs to no field. */
  problems: string[] = [];
  /** Counts the creates that did not happen: each time the first wrong field gets the focus. */
  refusals = 0;
  isBusy = false;
  isUnfolded = false;
  /** Spark's own settings; empty until the further settings are seen, and where they cannot be read. */
  confs: ReadonlyArray<IConf> = [];
  /** Counts the confs that were taken from those: each time the last one's value gets the focus. */
  added = 0;
  query = '';

  /** What was typed, by path; it outlives a change of the profile. */
  get typed(): Readonly<AllTyped> {
    return this._typed;
  }

  /** What a field is called. */
  label(path: string): string {
    return this.fields.find(field => field.path === path)?.label ?? this.trans.__('Profile');
  }

  /** What is wrong at fields that somebody has left, or tried to send. */
  get wrong(): Wrong {
    const all = { ...this._wrong, ...this._refused };
    return Object.fromEntries(Object.entries(all).filter(([path]) => this._left.has(path)));
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._debouncer.dispose();
    this._asked?.abort();
    super.dispose();
  }

  /** Read the profiles, and choose one; a gateway that is only starting is waited for. */
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
      this._set({ loading: { kind: 'failed', message: plain(known(error), this.trans) } });
    }
  }

  /** Take another profile; what was typed stays. */
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

  /** Take what an input holds now. */
  type(path: string, value: Typed): void {
    this._typed = { ...this._typed, [path]: value };
    this._refused = without(this._refused, path);
    this._check();
    this._set({ planned: { kind: 'asking' } });
    this._asked?.abort();
    this._debouncer.invoke().catch(() => undefined); // rejected where the dialog is gone
  }

  /** The input was left: from now on it is told what is wrong with it. */
  leave(path: string): void {
    if (!this._left.has(path)) {
      this._left.add(path);
      this.stateChanged.emit();
    }
  }

  /** Show or fold the further settings. */
  unfold(isUnfolded: boolean): void {
    this._set({ isUnfolded });
    if (isUnfolded) {
      void this._readConfs();
    }
  }

  /** Begin a row for a conf, in place of one that is empty. */
  addConf(key: string): void {
    const rows = Array.isArray(this._typed.conf) ? this._typed.conf : [];
    const kept = rows.filter(row => row.key !== key && (row.key || row.value));
    const own = rows.find(row => row.key === key) ?? { key, value: '' };
    this._set({ added: this.added + 1 });
    this.type('conf', [...kept, own]);
  }

  /** Show only the further settings that have these words. */
  search(query: string): void {
    this._set({ query });
  }

  /** Create what is asked for; null where it did not happen, and the form says why. */
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
      const { at, rest } = refusalOf(known(error), this._paths, this.trans);
      this._refused = at;
      this._refuse(at, rest);
      return null;
    } finally {
      this._set({ isBusy: false });
    }
  }

  /** The profiles, in a few tries where the server says when the next makes sense. */
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

  /** They only help to type: without them keys are typed in full. */
  private async _readConfs(): Promise<void> {
    this._confs ??= this._options.api.confs().catch(error => {
      known(error);
      this._confs = null; // asked for again when they are unfolded again
      return [];
    });
    const confs = await this._confs;
    if (confs !== this.confs) {
      this._set({ confs });
    }
  }

  /** The fields that have something wrong or to be seen are unfolded. */
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

  /** The request of what is typed now; what is wrong with it is kept. */
  private _check(): ICreate {
    const { request, wrong } = requestOf(this.fields, this._typed, this.trans);
    this._wrong = wrong;
    return this.profile ? { ...request, profile: this.profile.name } : request;
  }

  /** Ask what a create would do; an older question is dropped. */
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
        this._tellRefused(known(error));
      }
    }
  }

  private _tellRefused(error: RucatError): void {
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
  private _confs: Promise<IConf[]> | null = null;
  private readonly _debouncer = new Debouncer(() => this._ask(), PLAN_AFTER_MS);
}

/** The words of CreateModel. */
export namespace CreateModel {
  /** What a model works with. */
  export interface IOptions {
    manager: Pick<IEngineManager, 'create'>;
    api: IPlanner;
    trans: TranslationBundle;
    /** The profile that is chosen first; empty: the gateway's default. */
    wanted: string;
    /** Tells of a create that was refused when the dialog was closed already. */
    lost: (said: string) => void;
  }
}

/** The profile wanted, the default one, or the first that can be had. */
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
