/**
 * Spark settings in the form: completion of keys, documentation of a key, and search.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IConf } from '../tokens';

/** Id of the datalist for the completion of keys. */
export const KEYS_ID = 'jp-Rucat-create-confs';

/** A longer list does not help: the user can refine the search. */
const MOST_FOUND = 12;
/** A shorter query matches nearly every setting. */
const SHORTEST_QUERY = 3;

/** The keys, for the completion of the browser. */
export const ConfKeys = React.memo((props: { confs: ReadonlyArray<IConf> }) => (
  <datalist id={KEYS_ID}>
    {props.confs.map(conf => (
      <option key={conf.key} value={conf.key} />
    ))}
  </datalist>
));
ConfKeys.displayName = 'ConfKeys';

/** Documentation of a setting. */
export function ConfNote(props: { conf: IConf; trans: TranslationBundle }): JSX.Element {
  const { conf, trans } = props;
  return <div className="jp-Rucat-createHint jp-Rucat-createConfNote">{note(conf, trans)}</div>;
}

/** Search results, each with a button that adds a row for the setting. */
export function FoundConfs(props: {
  confs: ReadonlyArray<IConf>;
  query: string;
  addConf: (key: string) => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { confs, query, addConf, trans } = props;
  const found = React.useMemo(() => findConfs(confs, query), [confs, query]);
  if (!found.length) {
    return null;
  }
  return (
    <section aria-label={trans.__('Spark settings')} className="jp-Rucat-createFound">
      <h3>{trans.__('Spark settings')}</h3>
      {found.slice(0, MOST_FOUND).map(conf => (
        <div key={conf.key} className="jp-Rucat-createFoundConf">
          <button
            type="button"
            className="jp-mod-styled"
            aria-label={trans.__('Set %1', conf.key)}
            onClick={() => addConf(conf.key)}
          >
            {trans.__('Set')}
          </button>
          <div>
            <code>{conf.key}</code>
            <ConfNote conf={conf} trans={trans} />
          </div>
        </div>
      ))}
      {found.length > MOST_FOUND && (
        <p className="jp-Rucat-createHint">
          {trans.__('%1 more: add a word to narrow the search.', found.length - MOST_FOUND)}
        </p>
      )}
    </section>
  );
}

/** Settings whose key or documentation contains all words; matches of the key come first. */
export function findConfs(confs: ReadonlyArray<IConf>, query: string): IConf[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (query.trim().length < SHORTEST_QUERY) {
    return [];
  }
  const has = (text: string) => words.every(word => text.includes(word));
  const byKey = confs.filter(conf => has(conf.key.toLowerCase()));
  const byDoc = confs.filter(
    conf => !byKey.includes(conf) && has(`${conf.key} ${conf.doc}`.toLowerCase())
  );
  return [...byKey, ...byDoc];
}

function note(conf: IConf, trans: TranslationBundle): string {
  const facts = [
    conf.kind,
    conf.default === null ? '' : trans.__('default %1', conf.default || trans.__('empty')),
    conf.since && trans.__('since Spark %1', conf.since)
  ].filter(Boolean);
  return [facts.join(', '), conf.doc].filter(Boolean).join(' · ');
}
