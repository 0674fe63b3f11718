/** Attach lines: the kernel parses the same name, and lines of the user are recognised. */
import { attachLine, attachSource, attaches, parseCell, withName } from '../line';

describe('a line that attaches', () => {
  it.each([
    ['etl', '%rucat attach etl'],
    ['my engine', "%rucat attach 'my engine'"],
    ['Größe_1', "%rucat attach 'Größe_1'"],
    ["it's", `%rucat attach 'it'"'"'s'`],
    ['a;b', "%rucat attach 'a;b'"],
    ['$x', "%rucat attach '$x'"],
    ['#1', "%rucat attach '#1'"]
  ])('quotes %s as shlex parses it', (name, line) => {
    expect(attachLine(name)).toBe(line);
  });

  it('stays one line for any name', () => {
    expect(attachSource('a\n!rm -rf /').split('\n')).toHaveLength(2);
  });

  it('loads Rucat first', () => {
    expect(attachSource('etl')).toBe('%load_ext rucat_jupyter\n%rucat attach etl');
  });
});

describe('a cell', () => {
  it.each(['etl', 'my engine', "it's", 'ß ü', 'a"b', 'a\\b'])('is parsed again: %s', name => {
    expect(parseCell(attachSource(name))).toEqual({
      verb: 'attach',
      name,
      isPlain: true,
      loads: true
    });
  });

  it.each([
    ['%rucat attach etl', { name: 'etl', isPlain: true, loads: false }],
    ['# mine\n\n%rucat attach "my etl"  # here\n', { name: 'my etl', isPlain: true, loads: false }],
    ['%rucat attach etl;', { name: 'etl', isPlain: true, loads: false }],
    ['%reload_ext rucat_jupyter\n%rucat attach etl', { name: 'etl', isPlain: true, loads: true }],
    ['%rucat attach etl --as s2', { name: 'etl', isPlain: false, loads: false }],
    ['%rucat attach $which', { name: null, isPlain: false, loads: false }],
    ['%rucat attach {which}', { name: null, isPlain: false, loads: false }],
    ['%rucat attach sc://host:1', { name: null, isPlain: false, loads: false }],
    ['%rucat attach', { name: null, isPlain: false, loads: false }]
  ])('that only attaches is recognised: %s', (source, expected) => {
    expect(parseCell(source)).toEqual({ verb: 'attach', ...expected });
  });

  it('that creates with settings is recognised by its name', () => {
    const found = parseCell('%rucat create etl --profile k8s-small --conf "a=b c"');
    expect(found).toEqual({ verb: 'create', name: 'etl', isPlain: false, loads: false });
  });

  it.each([
    'spark.sql("select 1")',
    '%rucat attach etl\nspark.sql("select 1")',
    '%rucat attach a\n%rucat attach b --as other',
    '%rucat status etl',
    '%rucat create etl --no-attach',
    '%rucat create etl --no-wait',
    '%load_ext rucat_jupyter',
    ''
  ])('with other code is not changed: %s', source => {
    expect(parseCell(source)).toBeNull();
  });

  it('with an attach line among others counts for the order of cells', () => {
    expect(attaches('import x\n%rucat attach etl')).toBe(true);
    expect(attaches('%rucat status')).toBe(false);
    expect(attaches('# %rucat attach etl')).toBe(false);
  });

  it('keeps its other lines when the engine changes', () => {
    const source = '# data\n%load_ext rucat_jupyter\n\n%rucat attach etl';
    expect(withName(source, 'my wide')).toBe(
      "# data\n%load_ext rucat_jupyter\n\n%rucat attach 'my wide'"
    );
  });
});
