/** A table of any number of events: only the rows that are visible are in the document. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { Sort, SortColumn } from './event-order.ts';
import { eventAt } from './event-table.ts';
import type { EventTable, EventView } from './event-table.ts';

const words = texts.results.table;

interface Column {
  id: SortColumn;
  heading: string;
  unit?: string;
  /** Least width in rem; columns share what is left by `share`, which is the width if it is not given. */
  width: number;
  share?: number;
  numeric?: boolean;
  cell: (event: EventView) => ComponentChildren;
}

interface Props {
  table: EventTable;
  /** Positions of the events to show, sorted. */
  positions: Uint32Array;
  names: readonly string[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  /** Position in the table of the event that is open. */
  selected: number | null;
  onOpen: (row: number) => void;
  startHeading: string;
  startText: (event: EventView) => string;
  /** Whether there are several recordings, classes, or probabilities. */
  show: { recording: boolean; class: boolean; probability: boolean };
  colours: readonly string[];
}

const ROW = 34;
const NARROW_ROW = 56;
/** Height of the heading, in pixels. */
const HEAD = 36;
const MOST_VISIBLE = 12;
/** Rows above and below the visible ones, so that scrolling shows no gap. */
const MARGIN = 8;
/** Characters at the end of a name that are always shown, such as `_051000Z.wav`. */
const END = 12;

export function EventsTable(props: Props) {
  const { table, positions, names, sort, onSort, selected, onOpen } = props;
  const narrow = useMedia('(max-width: 640px)');
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [active, setActive] = useState(0);
  const rowHeight = narrow ? NARROW_ROW : ROW;
  const columns = columnsOf(props);
  const visible = Math.min(MOST_VISIBLE, Math.max(positions.length, 1));
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const last = Math.min(positions.length, Math.ceil(top / rowHeight) + visible + MARGIN);
  const selectedRow = selected === null ? -1 : positions.indexOf(selected);

  useLayoutEffect(() => {
    if (selectedRow < 0) return;
    setActive(selectedRow);
    showRow(selectedRow);
  }, [selectedRow, rowHeight]);
  useEffect(() => {
    if (active >= positions.length) setActive(Math.max(0, positions.length - 1));
  }, [positions]);

  const showRow = (row: number) => {
    const element = body.current;
    if (!element) return;
    const [above, below] = [row * rowHeight, (row + 1) * rowHeight - visible * rowHeight];
    if (element.scrollTop > above) element.scrollTop = above;
    else if (element.scrollTop < below) element.scrollTop = below;
  };
  const move = (row: number) => {
    const next = Math.min(Math.max(row, 0), positions.length - 1);
    setActive(next);
    showRow(next);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return; // the buttons of the heading
    const rows: Record<string, number> = {
      ArrowUp: active - 1,
      ArrowDown: active + 1,
      PageUp: active - visible,
      PageDown: active + visible,
      Home: 0,
      End: positions.length - 1,
    };
    if (event.key in rows) move(rows[event.key]);
    else if (event.key === 'Enter' || event.key === ' ') onOpen(active);
    else return;
    event.preventDefault();
  };
  const template = columns.map(({ width, share = width }) => `minmax(${width}rem, ${share}fr)`).join(' ');
  const minWidth = narrow ? undefined : `${columns.reduce((sum, { width }) => sum + width, 0)}rem`;
  return (
    <div
      ref={body}
      class={narrow ? 'events narrow' : 'events'}
      role="grid"
      tabIndex={0}
      aria-label={words.label}
      aria-rowcount={positions.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={positions.length ? `event-row-${active}` : undefined}
      style={{ maxHeight: `${HEAD + visible * rowHeight + 2}px` }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={onKey}
    >
      <div class="events-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template, height: `${HEAD}px`, minWidth }}>
        {columns.map(({ id, heading, unit, numeric }) => (
          <div
            key={id}
            role="columnheader"
            class={`head ${id}${numeric ? ' numeric' : ''}`}
            aria-sort={sort.column === id ? (sort.descending ? 'descending' : 'ascending') : undefined}
          >
            <button type="button" title={words.sortBy(heading)} onClick={() => onSort(nextSort(sort, id))}>
              {heading}
              {unit && <small> {unit}</small>}
              <span aria-hidden="true">{sort.column === id ? (sort.descending ? ' ↓' : ' ↑') : ''}</span>
            </button>
          </div>
        ))}
      </div>
      <div class="events-space" role="rowgroup" style={{ height: `${positions.length * rowHeight}px`, minWidth }}>
        {Array.from({ length: Math.max(0, last - first) }, (_, offset) => {
          const row = first + offset;
          const event = eventAt(table, positions[row]);
          return (
            <div
              key={row}
              id={`event-row-${row}`}
              class={row === active ? 'events-row active' : 'events-row'}
              role="row"
              aria-rowindex={row + 2}
              aria-selected={row === selectedRow}
              style={{ top: `${row * rowHeight}px`, height: `${rowHeight}px`, gridTemplateColumns: template }}
              onClick={() => {
                setActive(row);
                onOpen(row);
              }}
            >
              {columns.map(({ id, cell, numeric }) => (
                <div
                  key={id}
                  role="gridcell"
                  class={`cell ${id}${numeric ? ' numeric' : ''}`}
                  title={id === 'recording' ? names[event.recording] : undefined}
                  aria-label={id === 'recording' ? names[event.recording] : undefined}
                >
                  {cell(event)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** A name that is shortened in its middle: names of recordings differ in their ends. */
function Name({ name }: { name: string }) {
  const end = [...name].slice(-END).join('');
  return (
    <span class="name-cell">
      <span>{name.slice(0, name.length - end.length)}</span>
      <span>{end}</span>
    </span>
  );
}

function columnsOf({ table, names, startHeading, startText, show, colours }: Props): Column[] {
  const number = (value: number | null, digits: number) => (value === null ? '' : value.toFixed(digits));
  const all: (Column | false)[] = [
    show.recording && { id: 'recording', heading: words.recording, width: 10, share: 18, cell: ({ recording }) => <Name name={names[recording]} /> },
    { id: 'time', heading: startHeading, width: 13, cell: startText },
    {
      id: 'duration',
      heading: words.duration,
      unit: words.units.duration,
      width: 5.75,
      numeric: true,
      cell: ({ start, stop }) => number(stop - start, 2),
    },
    show.class && {
      id: 'class',
      heading: words.class,
      width: 7.5,
      cell: ({ label }) => (
        <>
          <i class="swatch" style={{ background: colours[table.classes.indexOf(label) % colours.length] }} />
          {label}
        </>
      ),
    },
    { id: 'score', heading: words.score, width: 4.75, numeric: true, cell: ({ maxScore }) => number(maxScore, 3) },
    show.probability && {
      id: 'probability',
      heading: words.probability,
      width: 6.5,
      numeric: true,
      cell: ({ probability }) => number(probability, 2),
    },
    { id: 'calls', heading: words.calls, width: 4.25, numeric: true, cell: ({ calls }) => number(calls, 0) },
    {
      id: 'level',
      heading: words.level,
      unit: words.units.level,
      width: 7.5,
      numeric: true,
      cell: ({ level }) => number(level, 1),
    },
    { id: 'snr', heading: words.snr, unit: words.units.snr, width: 5, numeric: true, cell: ({ snr }) => number(snr, 1) },
    { id: 'peak', heading: words.peak, unit: words.units.peak, width: 5.25, numeric: true, cell: ({ peak }) => number(peak, 0) },
  ];
  return all.filter((column) => column !== false);
}

/** Scores, levels and counts are sorted from the highest first; a second press turns the order round. */
function nextSort(sort: Sort, column: SortColumn): Sort {
  if (sort.column === column) return { column, descending: !sort.descending };
  return { column, descending: !['recording', 'time', 'class'].includes(column) };
}

/** Whether a media query matches, followed while it is shown. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const follow = () => setMatches(list.matches);
    follow();
    list.addEventListener('change', follow);
    return () => list.removeEventListener('change', follow);
  }, [query]);
  return matches;
}
