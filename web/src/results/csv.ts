/** CSV tables as the service writes them: commas, quotes doubled inside quotes, line breaks inside quotes. */

export interface CsvTable {
  columns: string[];
  /** Cells of each row, in the order of the columns. */
  rows: string[][];
}

/** Read a CSV. Every row has as many cells as the header; cells that are missing are empty. */
export function parseCsv(text: string): CsvTable {
  const rows = text.includes('"') ? splitQuoted(text) : splitPlain(text);
  const columns = (rows.shift() ?? []).map((name, index) => (index ? name : name.replace(/^\uFEFF/, '')));
  for (const row of rows) while (row.length < columns.length) row.push('');
  return { columns, rows };
}

/** Return a function that reads a cell of a row by the name of its column; '' if there is no such column. */
export function cellReader(columns: string[]): (row: string[], column: string) => string {
  const positions = new Map(columns.map((name, index) => [name, index]));
  return (row, column) => {
    const position = positions.get(column);
    return position === undefined ? '' : row[position];
  };
}

function splitPlain(text: string): string[][] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.split(','));
}

function splitQuoted(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      for (let from = at + 1; ; ) {
        const quote = text.indexOf('"', from);
        if (quote < 0) throw new Error('the table ends inside a quoted cell');
        cell += text.slice(from, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        from = at + 1;
      }
    } else {
      const start = at;
      while (at < text.length && text[at] !== ',' && text[at] !== '\n' && text[at] !== '\r') at += 1;
      cell = text.slice(start, at);
    }
    row.push(cell);
    if (text[at] === ',') {
      at += 1;
      if (at < text.length) continue;
      row.push('');
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    rows.push(row);
    row = [];
  }
  return rows;
}

const FORMULA = new Set('=+-@＝＋－＠﹦﹢﹣﹫');
const LOST = new Set('\t\r\n');
const SEPARATORS = new Set(';\t\r\n');
const SKIPPED = new Set('\'"\u200b\u200c\u200d\u200e\u200f\u2060\ufeff');

/**
 * Return a text without the single quotes with which the service protects spreadsheets from formulas: `'=1.wav` is the
 * recording `=1.wav`. The rule is that of `anemonefish.csv_cells`.
 */
export function unescapeCell(text: string): string {
  if (!text.includes("'")) return text;
  const characters = [...text];
  const added = new Set(formulaStarts(characters).filter((index) => characters[index] === "'"));
  return characters.filter((_, index) => !added.has(index)).join('');
}

/** Return the positions where a spreadsheet may see the beginning of a formula. */
function formulaStarts(characters: string[]): number[] {
  const starts = [];
  let runs = false;
  for (let index = characters.length - 1; index >= 0; index -= 1) {
    const character = characters[index];
    if (runs && SEPARATORS.has(character)) starts.push(index + 1);
    const blank = /[\s\u0085]/.test(character) || character < ' ' || SKIPPED.has(character);
    runs = FORMULA.has(character) || (runs && blank);
  }
  const first = characters.find((character) => character !== "'");
  if (runs || (first !== undefined && LOST.has(first))) starts.push(0);
  return starts;
}
