/** Numbers, times and announcements as plain text. */

const LOCALE = 'en';

/**
 * Return a number of bytes in decimal units, as operating systems and S3 show them.
 *
 * @example formatBytes(44_800_044) // '44.8 MB'
 */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return formatCount(bytes, 'byte');
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${formatNumber(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[unit]}`;
}

/**
 * Return a duration with its two largest units.
 *
 * @example formatDuration(488.8) // '8 min 9 s'
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 10) return `${formatNumber(seconds, 1)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days) return join(`${formatCount(days, 'day')}`, hours && `${hours} h`);
  if (hours) return join(`${hours} h`, minutes && `${minutes} min`);
  if (minutes) return join(`${minutes} min`, whole % 60 && `${whole % 60} s`);
  return `${whole} s`;
}

/**
 * Return a remaining time, which is an estimate and therefore has one unit.
 *
 * @example formatRemaining(130) // 'about 2 min'
 */
export function formatRemaining(seconds: number): string {
  if (seconds < 5) return 'a few seconds';
  if (seconds < 90) return `about ${Math.ceil(seconds / 5) * 5} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `about ${Math.round(seconds / 3600)} h`;
  return `about ${formatCount(Math.round(seconds / 86_400), 'day')}`;
}

/**
 * Return an amount of money with two significant digits below a dollar.
 *
 * @example formatUsd(0.00092) // '0.00092 USD'
 */
export function formatUsd(usd: number): string {
  if (usd > 0 && usd < 0.00001) return 'less than 0.00001 USD';
  const digits = usd >= 1 || usd === 0 ? 2 : Math.min(5, 1 - Math.floor(Math.log10(usd)));
  return `${formatNumber(usd, digits, usd >= 1 || usd === 0 ? 2 : 0)} USD`;
}

/**
 * Return a number with a noun in its singular or plural.
 *
 * @example formatCount(1234, 'file') // '1,234 files'
 */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count, 0)} ${count === 1 ? one : many}`;
}

/** Return a number with at most `most` and at least `least` decimals. */
export function formatNumber(value: number, most: number, least = 0): string {
  return value.toLocaleString(LOCALE, { maximumFractionDigits: most, minimumFractionDigits: least });
}

/** Return a part of a whole in percent, rounded down so that 100 % means complete. */
export function formatPercent(part: number, whole: number): string {
  return `${whole > 0 ? Math.floor((100 * part) / whole) : 0} %`;
}

/** Return a moment of ISO 8601 in the time zone of this computer, for example `29 Nov 2026, 14:05`. */
export function formatMoment(iso: string): string {
  return new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** Return the time of day of a moment in the time zone of this computer, with the date if it is another day. */
export function formatTimeOfDay(iso: string, now = new Date()): string {
  const moment = new Date(iso);
  const sameDay = moment.toDateString() === now.toDateString();
  return sameDay ? moment.toLocaleTimeString('en-GB', { timeStyle: 'short' }) : formatMoment(iso);
}

function join(large: string, small: string | 0): string {
  return small ? `${large} ${small}` : large;
}

/** Return a text with its first letter in upper case. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return bytes as hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Return a sentence so that it differs from the one before: a screen reader reads a live region only when it changes. */
export function newlySaid(before: string, sentence: string): string {
  return before === sentence ? `${sentence}\u00A0` : sentence;
}
