/**
 * The `%rucat` lines that attach an engine: writes them so that the kernel parses the same name, and finds them in cells.
 */
import { quoted } from '../words';

export const LOAD = '%load_ext rucat_jupyter';

const LOAD_LINE = /^%(?:load_ext|reload_ext)\s+rucat_jupyter\s*$/;
const RUCAT_LINE = /^%rucat\s+(attach|create)(?:\s+(.*))?$/;
const NOT_ATTACHING = ['--no-attach', '--no-wait', '--form'];
const WORD = /(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/g;

/** The line that attaches an engine. */
export function attachLine(name: string): string {
  return `%rucat attach ${quoted(name)}`;
}

/** Source of a cell that loads Rucat and attaches an engine. */
export function attachSource(name: string): string {
  return `${LOAD}\n${attachLine(name)}`;
}

/** A cell that only attaches an engine. */
export interface IAttachCell {
  verb: 'attach' | 'create';
  /** Name of the engine; null: none, or a variable. */
  name: string | null;
  /** Nothing follows the name, so that no flag of the user is lost when the name is replaced. */
  isPlain: boolean;
  /** Whether the cell loads Rucat. */
  loads: boolean;
}

/** Parse a cell; null if it does not attach an engine, or contains other code, too. */
export function parseCell(source: string): IAttachCell | null {
  const lines = codeLines(source);
  const rest = lines.filter(line => !LOAD_LINE.test(line));
  const match = rest.length === 1 ? RUCAT_LINE.exec(rest[0]) : null;
  if (!match) {
    return null;
  }
  const words = split(match[2] ?? '');
  if (words.some(word => NOT_ATTACHING.includes(word))) {
    return null;
  }
  const name = words.length > 0 && isName(words[0]) ? words[0] : null;
  return {
    verb: match[1] as IAttachCell['verb'],
    name,
    isPlain: name !== null && words.length === 1,
    loads: rest.length < lines.length
  };
}

/** Whether some line of a cell attaches an engine. */
export function attaches(source: string): boolean {
  return codeLines(source).some(line => RUCAT_LINE.test(line));
}

/** Source of an attach cell, with the name of another engine. */
export function withName(source: string, name: string): string {
  return source
    .split('\n')
    .map(line => (RUCAT_LINE.test(line.trim()) ? attachLine(name) : line))
    .join('\n');
}

function codeLines(source: string): string[] {
  return source
    .split('\n')
    .map(line => line.trim())
    .filter(line => line && !line.startsWith('#'));
}

/** The words of a line without quotes, up to a comment. */
function split(text: string): string[] {
  const words = text.match(WORD) ?? [];
  const comment = words.findIndex(word => word.startsWith('#'));
  const kept = comment < 0 ? words : words.slice(0, comment);
  return kept.map(unquoted).filter(word => word !== ';');
}

function unquoted(word: string): string {
  return word
    .replace(/;$/, '')
    .replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, escaped) => {
      if (single !== undefined) {
        return single;
      }
      return double !== undefined ? double.replace(/\\(["\\$`])/g, '$1') : escaped;
    });
}

/** Whether a word names an engine: no flag, no variable (`$x`, `{x}`), no address. */
function isName(word: string): boolean {
  return !/^(?:-|\$|\{|sc:\/\/)/.test(word);
}
