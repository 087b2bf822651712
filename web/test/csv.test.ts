import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellReader, parseCsv, unescapeCell } from '../src/results/csv.ts';

test('a table without quotes is read by its header', () => {
  const { columns, rows } = parseCsv('a,b\n1,2\n3,\n');
  assert.deepEqual(columns, ['a', 'b']);
  assert.deepEqual(rows, [['1', '2'], ['3', '']]);
});

test('commas, quotes and line breaks inside quotes belong to the cell', () => {
  const { rows } = parseCsv('name,message\n"a,b.wav","said ""no"",\nand left"\nplain,\r\n');
  assert.deepEqual(rows, [['a,b.wav', 'said "no",\nand left'], ['plain', '']]);
});

test('quoted and plain tables are read alike, whatever the line end', () => {
  const plain = parseCsv('a,b,c\n1,,3\n4,5,\n').rows;
  assert.deepEqual(parseCsv('a,b,"c"\r\n1,,3\r\n4,5,').rows, plain);
});

test('a row that ends early has empty cells', () => {
  assert.deepEqual(parseCsv('a,b,c\n1\n').rows, [['1', '', '']]);
});

test('a table that ends inside a quoted cell is refused', () => {
  assert.throws(() => parseCsv('a\n"half'), /ends inside a quoted cell/);
});

test('an unknown column is empty', () => {
  const cell = cellReader(['a']);
  assert.equal(cell(['1'], 'a'), '1');
  assert.equal(cell(['1'], 'b'), '');
});

test('a byte order mark is not part of the first name', () => {
  assert.deepEqual(parseCsv('\uFEFFa,b\n').columns, ['a', 'b']);
});

// The pairs are those of anemonefish.csv_cells.escape.
const ESCAPED: [written: string, name: string][] = [
  ["'=1+1.wav", '=1+1.wav'],
  ["'tis.wav", "'tis.wav"],
  ['reef-01.wav', 'reef-01.wav'],
  ["'\tname", '\tname'],
  ["''=a", "'=a"],
  ["a;'=b", 'a;=b'],
  ["' =x", ' =x'],
  ["it's @ home", "it's @ home"],
];
for (const [written, name] of ESCAPED) {
  test(`the quote that protects spreadsheets is removed: ${JSON.stringify(written)}`, () => {
    assert.equal(unescapeCell(written), name);
  });
}
