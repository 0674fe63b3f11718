/** The lines that attach: what the kernel reads back is the very name, and the user's own lines are known as such. */
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
  ])('names %s as shlex reads it', (name, line) => {
    expect(attachLine(name)).toBe(line);
  });

  it('stays one line, whatever a name has', () => {
    expect(attachSource('a\n!rm -rf /').split('\n')).toHaveLength(2);
  });

  it('loads Rucat first', () => {
    expect(attachSource('etl')).toBe('%load_ext rucat_jupyter\n%rucat attach etl');
  });
});

describe('a cell', () => {
  it.each(['etl', 'my engine', "it's", 'ß ü', 'a"b', 'a\\b'])('is read back: %s', name => {
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
  ])('that only attaches is known: %s', (source, expected) => {
    expect(parseCell(source)).toEqual({ verb: 'attach', ...expected });
  });

  it('that creates with settings is known by its name', () => {
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
  ])('that does something else is left alone: %s', source => {
    expect(parseCell(source)).toBeNull();
  });

  it('with an attaching line among others is found for the order of cells', () => {
    expect(attaches('import x\n%rucat attach etl')).toBe(true);
    expect(attaches('%rucat status')).toBe(false);
    expect(attaches('# %rucat attach etl')).toBe(false);
  });

  it('keeps its other lines when it gets another engine', () => {
    const source = '# data\n%load_ext rucat_jupyter\n\n%rucat attach etl';
    expect(withName(source, 'my wide')).toBe(
      "# data\n%load_ext rucat_jupyter\n\n%rucat attach 'my wide'"
    );
  });
});
