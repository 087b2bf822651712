/** Times of a time line and a table: in UTC, in the time zone of the job, or from the beginning of the recording. */

/** Moments in milliseconds: since 1970, or since the beginning of a recording. */
export type Milliseconds = number;

export interface Zone {
  name: string;
  /** Return how far the clocks of the zone are ahead of UTC at a moment, in ms. */
  offsetAt(utc: Milliseconds): Milliseconds;
}

export const UTC: Zone = { name: 'UTC', offsetAt: () => 0 };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Return a time zone as `effort.csv` names it: `UTC`, `UTC+10:00`, `Australia/Brisbane`. Null if it is unknown here. */
export function zoneOf(name: string): Zone | null {
  const fixed = /^(?:UTC)?([+-])(\d\d):?(\d\d)$/.exec(name);
  if (fixed) {
    const offset = (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * HOUR + Number(fixed[3]) * MINUTE);
    return { name, offsetAt: () => offset };
  }
  if (name === 'UTC') return UTC;
  try {
    const format = new Intl.DateTimeFormat('en-GB', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    return { name, offsetAt: cachedOffsets(format) };
  } catch {
    return null;
  }
}

/** Offsets change at full quarter hours only, so one per quarter hour is computed. */
function cachedOffsets(format: Intl.DateTimeFormat): (utc: Milliseconds) => Milliseconds {
  const known = new Map<number, Milliseconds>();
  return (utc) => {
    const quarter = Math.floor(utc / (15 * MINUTE));
    let offset = known.get(quarter);
    if (offset === undefined) {
      const moment = quarter * 15 * MINUTE;
      const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
      offset = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - moment;
      if (known.size > 20_000) known.clear();
      known.set(quarter, offset);
    }
    return offset;
  };
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');

/** Return `2023-02-10 14:00:01.200`, with as many decimals as asked for. */
export function formatTimeInZone(utc: Milliseconds, zone: Zone, decimals = 1): string {
  const local = wall(utc, zone, decimals);
  return `${local.toISOString().slice(0, 10)} ${clockText(local, decimals)}`;
}

/** Return seconds as `1:02:03.4`, or `2:03.4` below an hour. */
export function formatSeconds(seconds: number, decimals = 1): string {
  const units = Math.round(seconds * 10 ** decimals);
  const whole = Math.floor(units / 10 ** decimals);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const fraction = decimals ? `.${String(units % 10 ** decimals).padStart(decimals, '0')}` : '';
  return hours ? `${hours}:${two(minutes)}:${two(rest)}${fraction}` : `${minutes}:${two(rest)}${fraction}`;
}

/** Round to the last shown decimal first, so that 59.96 s is shown as the next minute. */
function wall(utc: Milliseconds, zone: Zone, decimals: number): Date {
  const unit = 1000 / 10 ** Math.min(decimals, 3);
  return new Date(Math.round((utc + zone.offsetAt(utc)) / unit) * unit);
}

function clockText(local: Date, decimals: number): string {
  const fraction = decimals ? `.${String(local.getUTCMilliseconds()).padStart(3, '0').slice(0, decimals)}` : '';
  return `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}${fraction}`;
}

const STEPS: readonly Milliseconds[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => 1000 * seconds),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => MINUTE * minutes),
  ...[1, 2, 3, 6, 12].map((hours) => HOUR * hours),
  ...[1, 2, 5, 10, 30, 90, 365].map((days) => DAY * days),
];

export interface Tick {
  at: Milliseconds;
  label: string;
  /** Whether a day begins here, so that it is drawn stronger. */
  major: boolean;
}

/**
 * Return the ticks of an axis.
 *
 * @param zone null for an axis of seconds from the beginning of a recording
 */
export function ticksOf(from: Milliseconds, to: Milliseconds, mostTicks: number, zone: Zone | null): Tick[] {
  const rough = (to - from) / Math.max(1, mostTicks);
  const step = STEPS.find((size) => size >= rough) ?? Math.ceil(rough / DAY) * DAY;
  const offset = (utc: Milliseconds) => (zone ? zone.offsetAt(utc) : 0);
  const ticks: Tick[] = [];
  for (let local = Math.ceil((from + offset(from)) / step) * step; ; local += step) {
    const at = local - offset(local - offset(local)); // the offset at the moment itself, also near a clock change
    if (at > to) return ticks;
    if (at >= from && (ticks.length === 0 || at > ticks[ticks.length - 1].at)) ticks.push({ at, ...labelOf(at, at + offset(at), step, zone) });
    if (ticks.length > 1000) return ticks;
  }
}

function labelOf(at: Milliseconds, local: Milliseconds, step: Milliseconds, zone: Zone | null): { label: string; major: boolean } {
  const decimals = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  if (!zone) return { label: formatSeconds(at / 1000, decimals), major: false };
  const date = new Date(local);
  if (local % DAY === 0) return { label: `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`, major: true };
  const text = clockText(date, decimals);
  return { label: step >= MINUTE ? text.slice(0, 5) : text, major: false };
}
