/**
 * The fields as JupyterLab's form component: common fields first, others folded, errors next to their inputs.
 */
import { FormComponent } from '@jupyterlab/ui-components';
import type {
  FieldTemplateProps,
  ObjectFieldTemplateProps,
  RJSFSchema,
  UiSchema
} from '@rjsf/utils';
import validator from '@rjsf/validator-ajv8';
import * as React from 'react';

import { findConfs, FoundConfs } from './confs';
import type { IField, Kind } from './fields';
import { limitsOf, placeholder } from './hints';
import type { IFormContext } from './inputs';
import { ChoiceInput, errorId, hintId, labelId, LinesInput, PairsInput, TextInput } from './inputs';
import type { CreateModel } from './model';
import type { Typed } from './values';

/** Prefix of the ids of inputs. */
export const ID_PREFIX = 'jp-Rucat-create';

const ROWS: ReadonlyArray<Kind> = ['pairs', 'secrets'];
const TEMPLATES = { FieldTemplate, ObjectFieldTemplate };
const UI: Record<Kind, UiSchema> = {
  text: { 'ui:widget': TextInput },
  password: { 'ui:widget': TextInput },
  integer: { 'ui:widget': TextInput },
  seconds: { 'ui:widget': TextInput },
  choice: { 'ui:widget': ChoiceInput },
  lines: { 'ui:widget': LinesInput },
  json: { 'ui:widget': LinesInput },
  pairs: { 'ui:field': PairsInput },
  secrets: { 'ui:field': PairsInput }
};

/** The fields of the model's profile. */
export function Fields({ model }: { model: CreateModel }): JSX.Element {
  const form = React.useMemo(() => formOf(model.fields), [model.fields]);
  const byKey = new Map(model.fields.map(field => [field.key, field]));
  const data = Object.fromEntries(model.fields.map(({ key, path }) => [key, model.typed[path]]));
  const take = (next: Record<string, Typed | undefined>) => {
    for (const [key, field] of byKey) {
      if (!isSame(next[key], data[key])) {
        model.type(field.path, next[key] ?? '');
      }
    }
  };
  const leave = (id: string) => {
    const field = byKey.get(id.slice(ID_PREFIX.length + 1));
    if (field) {
      model.leave(field.path);
    }
  };
  return (
    <FormComponent
      schema={form.schema}
      uiSchema={form.uiSchema as any}
      className="jp-Rucat-createFields"
      tagName="div"
      idPrefix={ID_PREFIX}
      formData={data as any}
      formContext={useContext(model)}
      templates={TEMPLATES as any}
      validator={validator as any}
      noValidate={true}
      noHtml5Validate={true}
      showModifiedFromDefault={false}
      onChange={event => take(event.formData as any)}
      onBlur={leave}
    />
  );
}

/** Schema of the input texts; values.ts checks the values against the schema of a spec. */
export function formOf(fields: ReadonlyArray<IField>): { schema: RJSFSchema; uiSchema: UiSchema } {
  const row: RJSFSchema = { type: 'object' };
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        fields.map(({ key, kind, label }) => [
          key,
          ROWS.includes(kind)
            ? { type: 'array', title: label, items: row }
            : { type: 'string', title: label }
        ])
      )
    },
    uiSchema: Object.fromEntries(fields.map(({ key, kind }) => [key, UI[kind]]))
  };
}

/** Whether a field matches the search: by label, path, help, group or Spark conf. */
export function matches(field: IField, query: string): boolean {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [field.label, field.path, field.help, field.group].join(' ').toLowerCase();
  return words.every(
    word => text.includes(word) || (field.path === 'conf' && word.startsWith('spark'))
  );
}

function useContext(model: CreateModel): IFormContext {
  const functions = React.useMemo(
    () => ({
      unfold: (isUnfolded: boolean) => model.unfold(isUnfolded),
      search: (query: string) => model.search(query),
      addConf: (key: string) => model.addConf(key)
    }),
    [model]
  );
  const { trans, fields, profile, profiles, defaults, wrong } = model;
  const byKey = <T,>(of: (field: IField) => T) =>
    Object.fromEntries(fields.map(field => [field.key, of(field)]));
  return {
    ...functions,
    trans,
    isUnfolded: model.isUnfolded,
    query: model.query,
    confs: model.confs,
    added: model.added,
    fields: byKey(field => field),
    wrong: Object.fromEntries(
      fields.flatMap(({ path, key }) => (path in wrong ? [[key, wrong[path]]] : []))
    ),
    placeholders: byKey(field => placeholder(field, profile!, defaults, trans)),
    hints: byKey(field =>
      [field.help, inputHint(field, trans), ...limitsOf(field, profiles!.limits, trans)].filter(
        Boolean
      )
    ),
    shown: fields
      .filter(field => !field.isCommon && (matches(field, model.query) || hasFound(field, model)))
      .map(field => field.key)
  };
}

/** If the search finds a Spark setting, the conf field is shown, so that the user can add a row. */
function hasFound(field: IField, model: CreateModel): boolean {
  return field.path === 'conf' && findConfs(model.confs, model.query).length > 0;
}

function inputHint(field: IField, trans: CreateModel['trans']): string {
  switch (field.kind) {
    case 'seconds':
      return trans.__('Such as 30 min or 2 h.');
    case 'lines':
      return trans.__('One per line.');
    case 'json':
      return trans.__('As JSON.');
    default:
      return '';
  }
}

function FieldTemplate(props: FieldTemplateProps): JSX.Element {
  const { id, label, children } = props;
  const context = props.formContext as IFormContext;
  const key = id.slice(ID_PREFIX.length + 1);
  const field = context.fields[key];
  if (!field) {
    return <>{children}</>; // the form as a whole
  }
  const wrong = context.wrong[key];
  return (
    <div className="jp-Rucat-createField" data-path={field.path} data-kind={field.kind}>
      {ROWS.includes(field.kind) ? (
        <span id={labelId(id)} className="jp-Rucat-createLabel">
          {label}
        </span>
      ) : (
        <label id={labelId(id)} htmlFor={id} className="jp-Rucat-createLabel">
          {label}
        </label>
      )}
      <div className="jp-Rucat-createInput">
        {children}
        <div id={hintId(id)} className="jp-Rucat-createHint">
          {context.hints[key].join(' · ')}
        </div>
        <div id={errorId(id)} role="alert" className="jp-Rucat-createError">
          {wrong}
        </div>
      </div>
    </div>
  );
}

function ObjectFieldTemplate(props: ObjectFieldTemplateProps): JSX.Element {
  const context = props.formContext as IFormContext;
  const parts = new Map(props.properties.map(({ name, content }) => [name, content]));
  const common = props.properties.filter(({ name }) => context.fields[name]?.isCommon);
  const hasMore = common.length < props.properties.length;
  return (
    <>
      {common.map(({ content }) => content)}
      {hasMore && <More context={context} parts={parts} />}
    </>
  );
}

/** More settings: folded, searchable and grouped. */
function More(props: {
  context: IFormContext;
  parts: Map<string, React.ReactElement>;
}): JSX.Element {
  const { context, parts } = props;
  const { trans } = context;
  const groups = [...new Set(context.shown.map(key => context.fields[key].group))];
  return (
    <div className="jp-Rucat-createMore">
      <button
        type="button"
        className="jp-mod-styled jp-Rucat-createFold"
        aria-expanded={context.isUnfolded}
        onClick={() => context.unfold(!context.isUnfolded)}
      >
        <span aria-hidden="true">{context.isUnfolded ? '▾' : '▸'}</span> {trans.__('More settings')}
      </button>
      {context.isUnfolded && (
        <>
          <input
            type="search"
            className="jp-mod-styled jp-Rucat-createSearch"
            data-keeps-enter
            value={context.query}
            placeholder={trans.__('Search settings and Spark confs…')}
            aria-label={trans.__('Search more settings')}
            onChange={event => context.search(event.target.value)}
          />
          {groups.map(group => (
            <section key={group} aria-label={group}>
              <h3>{group}</h3>
              {context.shown
                .filter(key => context.fields[key].group === group)
                .map(key => parts.get(key))}
            </section>
          ))}
          <FoundConfs {...context} />
          {groups.length === 0 && (
            <p className="jp-Rucat-createHint" role="status">
              {trans.__('No setting matches this search.')}
            </p>
          )}
        </>
      )}
    </div>
  );
}

function isSame(one: Typed | undefined, other: Typed | undefined): boolean {
  const plain = (typed: Typed | undefined) => (typed?.length ? typed : '');
  return JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}
