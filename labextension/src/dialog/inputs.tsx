/**
 * Inputs of the form, one per kind of field. All hold text, so that invalid input is kept.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { FieldProps, WidgetProps } from '@rjsf/utils';
import * as React from 'react';

import type { IConf } from '../tokens';
import { ConfKeys, ConfNote, KEYS_ID } from './confs';
import type { IField } from './fields';
import type { IRow } from './values';

/** Form context of the inputs: plain values, and functions with a stable identity. */
export interface IFormContext {
  trans: TranslationBundle;
  /** Error messages, by field key. */
  wrong: Record<string, string>;
  /** Values of empty inputs, by field key. */
  placeholders: Record<string, string>;
  /** Hints below the inputs, by field key. */
  hints: Record<string, string[]>;
  fields: Record<string, IField>;
  /** Keys of the visible fields in *More settings*. */
  shown: string[];
  isUnfolded: boolean;
  query: string;
  confs: ReadonlyArray<IConf>;
  /** Number of confs that were added from the search. */
  added: number;
  addConf: (key: string) => void;
  unfold: (isUnfolded: boolean) => void;
  search: (query: string) => void;
}

/** Ids of hint, error and label of an input. */
export const hintId = (id: string): string => `${id}__hint`;
export const errorId = (id: string): string => `${id}__error`;
export const labelId = (id: string): string => `${id}__label`;

/** One line of text. */
export function TextInput(props: WidgetProps): JSX.Element {
  const kind = fieldOf(props).kind;
  return (
    <input
      {...common(props)}
      {...typing(props)}
      type={kind === 'password' ? 'password' : 'text'}
      inputMode={kind === 'integer' ? 'numeric' : 'text'}
      autoComplete={kind === 'password' ? 'new-password' : 'off'}
    />
  );
}

/** Lines of text. */
export function LinesInput(props: WidgetProps): JSX.Element {
  return <textarea {...common(props)} {...typing(props)} rows={3} />;
}

/** One of a few values, or the value of the profile. */
export function ChoiceInput(props: WidgetProps): JSX.Element {
  const { trans, placeholders } = contextOf(props);
  const field = fieldOf(props);
  const said = placeholders[field.key];
  const values = field.choices.length ? field.choices : ['true', 'false'];
  return (
    <select {...common(props)}>
      <option value="">
        {said ? trans.__('from the profile (%1)', said) : trans.__('from the profile')}
      </option>
      {values.map(value => (
        <option key={value} value={value}>
          {value}
        </option>
      ))}
    </select>
  );
}

/** Keys and values in rows. */
export function PairsInput(props: FieldProps): JSX.Element {
  const { trans, placeholders, added } = contextOf(props);
  const field = fieldOf(props);
  const id = props.idSchema.$id;
  const confs = field.path === 'conf' ? contextOf(props).confs : NO_CONFS;
  const rows: IRow[] = props.formData?.length ? props.formData : [{ key: '', value: '' }];
  const list = React.useRef<HTMLDivElement>(null);
  const change = (at: number, part: Partial<IRow>) =>
    props.onChange(rows.map((row, index) => (index === at ? { ...row, ...part } : row)));
  const add = () => props.onChange([...rows, { key: '', value: '' }]);
  const remove = (at: number) => props.onChange(rows.filter((_, index) => index !== at));
  useChange(rows.length, () => last(list.current, 'key')?.focus());
  useChange(added, () => field.path === 'conf' && last(list.current, 'value')?.focus());
  return (
    <div
      ref={list}
      className="jp-Rucat-createPairs"
      role="group"
      aria-labelledby={labelId(id)}
      aria-describedby={`${hintId(id)} ${errorId(id)}`}
      onBlur={() => props.onBlur(id, rows)}
    >
      {placeholders[field.key] && (
        <div className="jp-Rucat-createHint">
          {trans.__('The profile sets %1', placeholders[field.key])}
        </div>
      )}
      {rows.map((row, at) => (
        <Pair
          key={at}
          id={at === 0 ? id : `${id}_${at}`}
          row={row}
          field={field}
          isWrong={isWrongRow(row, at, props)}
          conf={confs.find(conf => conf.key === row.key.trim())}
          hasKeys={confs.length > 0}
          trans={trans}
          change={part => change(at, part)}
          remove={() => remove(at)}
        />
      ))}
      {confs.length > 0 && <ConfKeys confs={confs} />}
      <button type="button" className="jp-mod-styled jp-Rucat-createAdd" onClick={add}>
        {trans.__('Add')}
      </button>
    </div>
  );
}

interface IPairProps {
  id: string;
  row: IRow;
  field: IField;
  isWrong: boolean;
  /** Spark's documentation of the key. */
  conf: IConf | undefined;
  /** Whether keys are available for completion. */
  hasKeys: boolean;
  trans: TranslationBundle;
  change: (part: Partial<IRow>) => void;
  remove: () => void;
}

function Pair({
  id,
  row,
  field,
  isWrong,
  conf,
  hasKeys,
  trans,
  change,
  remove
}: IPairProps): JSX.Element {
  const shared = {
    className: 'jp-mod-styled',
    'aria-invalid': isWrong,
    autoComplete: 'off',
    spellCheck: false
  };
  const name = row.key || trans.__('this row');
  return (
    <div className="jp-Rucat-createPair">
      <input
        {...shared}
        id={id}
        type="text"
        data-part="key"
        list={hasKeys ? KEYS_ID : undefined}
        value={row.key}
        placeholder={field.path === 'conf' ? 'spark.sql.shuffle.partitions' : trans.__('key')}
        aria-label={trans.__('%1: key', field.label)}
        onChange={event => change({ key: event.target.value })}
      />
      <input
        {...shared}
        type={field.kind === 'secrets' ? 'password' : 'text'}
        data-part="value"
        value={row.value}
        placeholder={conf?.default ?? trans.__('value')}
        aria-label={trans.__('%1: value of %2', field.label, name)}
        onChange={event => change({ value: event.target.value })}
      />
      <button
        type="button"
        className="jp-mod-styled jp-Rucat-createDrop"
        aria-label={trans.__('Remove %1', name)}
        title={trans.__('Remove %1', name)}
        onClick={remove}
      >
        ✕
      </button>
      {conf && <ConfNote conf={conf} trans={trans} />}
    </div>
  );
}

/** Whether an error names this row; an error without a row is shown at the first one. */
function isWrongRow(row: IRow, at: number, props: FieldProps): boolean {
  const wrong = contextOf(props).wrong[fieldOf(props).key];
  if (!wrong) {
    return false;
  }
  const names = (one: IRow) => {
    const key = one.key.trim();
    return (
      Boolean(key) &&
      wrong.split('\n').some(line => line.startsWith(`${key}: `) || line.startsWith(`${key} `))
    );
  };
  const rows: IRow[] = props.formData ?? [];
  return rows.some(names) ? names(row) : at === 0;
}

function common(props: WidgetProps) {
  const { wrong } = contextOf(props);
  const { key } = fieldOf(props);
  return {
    id: props.id,
    className: 'jp-mod-styled',
    value: props.value ?? '',
    'aria-invalid': key in wrong,
    'aria-describedby':
      key in wrong ? `${errorId(props.id)} ${hintId(props.id)}` : hintId(props.id),
    onBlur: () => props.onBlur(props.id, props.value),
    onChange: (
      event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>
    ) => props.onChange(event.target.value)
  };
}

function typing(props: WidgetProps) {
  return { placeholder: contextOf(props).placeholders[fieldOf(props).key], spellCheck: false };
}

function contextOf(props: { formContext?: any }): IFormContext {
  return props.formContext as IFormContext;
}

function fieldOf(props: { formContext?: any; name: string }): IField {
  return contextOf(props).fields[props.name];
}

function last(list: HTMLElement | null, part: 'key' | 'value'): HTMLInputElement | undefined {
  return Array.from(
    list?.querySelectorAll<HTMLInputElement>(`input[data-part="${part}"]`) ?? []
  ).pop();
}

/** Run `act` when the number changes, but not on the first render. */
function useChange(value: number, act: () => void): void {
  const seen = React.useRef(value);
  React.useEffect(() => {
    if (seen.current !== value) {
      seen.current = value;
      act();
    }
  });
}

const NO_CONFS: ReadonlyArray<IConf> = [];
