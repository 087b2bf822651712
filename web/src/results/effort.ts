/** What `effort.csv` says: for how long the job listened, and when each recording began and ended. */
import { cellReader, unescapeCell } from './csv.ts';
import type { CsvTable } from './csv.ts';

export interface EffortOfRecording {
  name: string;
  /** Milliseconds since 1970 in UTC, or null where the start is not known. */
  startUtc: number | null;
  endUtc: number | null;
  /** Hours of sound, and of sound that the model heard; null where the recording could not be opened. */
  recordedHours: number | null;
  analysedHours: number | null;
}

export interface Effort {
  /** Rate of all recordings; null without effort. */
  eventsPerHour: number | null;
  low90: number | null;
  high90: number | null;
  recordedHours: number | null;
  analysedHours: number | null;
  /** Time zone of the job's hours and days, for example `UTC`, `UTC+10:00` or `Australia/Brisbane`. */
  timeZone: string | null;
  recordings: EffortOfRecording[];
}

/** Read `effort.csv`. */
export function readEffort({ columns, rows }: CsvTable): Effort {
  const cell = cellReader(columns);
  const number = (row: string[], column: string) => (cell(row, column) === '' ? null : Number(cell(row, column)));
  const moment = (row: string[], column: string) => (cell(row, column) === '' ? null : Date.parse(cell(row, column)));
  const all = rows.find((row) => cell(row, 'by') === 'all' && cell(row, 'folder') === '');
  const zone = rows.map((row) => cell(row, 'time_zone')).find((name) => name !== '');
  return {
    eventsPerHour: all ? number(all, 'events_per_hour') : null,
    low90: all ? number(all, 'low_90') : null,
    high90: all ? number(all, 'high_90') : null,
    recordedHours: all ? number(all, 'recorded_hours') : null,
    analysedHours: all ? number(all, 'analysed_hours') : null,
    timeZone: zone ? unescapeCell(zone) : null,
    recordings: rows
      .filter((row) => cell(row, 'by') === 'recording')
      .map((row) => ({
        name: unescapeCell(cell(row, 'recording')),
        startUtc: moment(row, 'start_utc'),
        endUtc: moment(row, 'end_utc'),
        recordedHours: number(row, 'recorded_hours'),
        analysedHours: number(row, 'analysed_hours'),
      })),
  };
}
