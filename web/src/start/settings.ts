/** The settings that a user can choose at the start: read from the form, checked, and sent only where they differ. */
import { texts } from '../texts.ts';

/** What the page uses of `GET /models/{name}/{version}`. */
export interface ModelDocument {
  name: string;
  version: string;
  description: string;
  license: string;
  classes: string[];
  target_class: string;
  window_seconds: number;
  hop_seconds: number;
  decision: {
    threshold: number | Record<string, number>;
    median_windows: number;
    min_duration_seconds: number;
    min_gap_seconds: number;
  };
  sites: string[];
  multi_label: boolean;
  card: {
    fit_for_science: boolean | null;
    why: string;
    heard: string[];
    not_heard: string[];
    measured: { what: string; value: number; interval: [number, number] | null; measured_on: string }[];
  };
}

/** What stands in the form. An empty text is the default. */
export interface SettingsForm {
  /** Empty: the model's target class. */
  classes: string[];
  /** By class. */
  thresholds: Record<string, string>;
  median_windows: string;
  min_duration_seconds: string;
  min_gap_seconds: string;
  site: string;
  review: string[];
  time_zone: string;
  local_time_zone: string;
  channel: string;
  full_scale_db: string;
  damaged: string;
}

/** A form in which everything is the default. */
export const DEFAULTS: SettingsForm = {
  classes: [],
  thresholds: {},
  median_windows: '',
  min_duration_seconds: '',
  min_gap_seconds: '',
  site: '',
  review: [],
  time_zone: '',
  local_time_zone: '',
  channel: '',
  full_scale_db: '',
  damaged: '',
};

/** Names of the fields of the form; that of a threshold is followed by its class. */
export type Problems = Record<string, string>;

/** Return the classes for which events are made. */
export function chosenClasses(form: SettingsForm, model: ModelDocument): string[] {
  const chosen = model.classes.filter((name) => form.classes.includes(name));
  return chosen.length ? chosen : [model.target_class];
}

/** Return the model's threshold for a class. */
export function defaultThreshold(model: ModelDocument, name: string): number {
  const { threshold } = model.decision;
  return typeof threshold === 'number' ? threshold : (threshold[name] ?? threshold['*']);
}

/** Return the settings that differ from the model's, as the API takes them, and what is wrong with the form. */
export function readSettings(form: SettingsForm, model: ModelDocument) {
  const settings: Record<string, unknown> = {};
  const problems: Problems = {};
  const number = (field: string, text: string, limits: Limits) => {
    const { value, problem } = readNumber(text, limits);
    if (problem) problems[field] = problem;
    return value;
  };

  const classes = chosenClasses(form, model);
  if (classes.length > 1) settings.target_class = classes;
  else if (classes[0] !== model.target_class) settings.target_class = classes[0];

  const thresholds: Record<string, number> = {};
  for (const name of classes) {
    const value = number(`threshold ${name}`, form.thresholds[name] ?? '', { low: 0, below: 1 });
    if (value !== null) thresholds[name] = value;
  }
  if (classes.length === 1 && classes[0] in thresholds) settings.threshold = thresholds[classes[0]];
  else if (Object.keys(thresholds).length) settings.threshold = thresholds;

  const numbers: [keyof SettingsForm & string, Limits][] = [
    ['median_windows', { low: 1, most: 99, whole: true, odd: true }],
    ['min_duration_seconds', { low: 0, most: 3600 }],
    ['min_gap_seconds', { low: 0, most: 3600 }],
    ['channel', { low: 1, most: 1024, whole: true }],
    ['full_scale_db', { low: 0, most: 300 }],
  ];
  for (const [field, limits] of numbers) {
    const value = number(field, form[field] as string, limits);
    if (value !== null) settings[field] = value;
  }
  for (const field of ['site', 'time_zone', 'local_time_zone', 'damaged'] as const) {
    const text = form[field].trim();
    if (text) settings[field] = text;
  }
  if (settings.site && !model.sites.includes(form.site)) delete settings.site; // of another model, chosen before
  if (form.review.length) settings.review = [...form.review].sort();
  return { settings, problems };
}

interface Limits {
  low: number;
  most?: number;
  below?: number;
  whole?: boolean;
  odd?: boolean;
}

/** Read a number as the API does: decimal, with a point. Empty text is no number and no problem. */
export function readNumber(
  text: string,
  { low, most, below, whole, odd }: Limits,
): { value: number | null; problem: string | null } {
  const trimmed = text.trim();
  if (!trimmed) return { value: null, problem: null };
  const say = texts.settings.problems;
  const wrong = (problem: string) => ({ value: null, problem });
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return wrong(say.number);
  const value = Number(trimmed);
  if (value < low || (most !== undefined && value > most) || (below !== undefined && value >= below)) {
    return wrong(say.range(low, below === undefined ? say.upTo(most!) : say.below(below)));
  }
  if (odd && value % 2 !== 1) return wrong(say.odd);
  if (whole && !Number.isInteger(value)) return wrong(say.whole);
  return { value, problem: null };
}

/** A model that can be chosen. */
export interface ModelChoice {
  /** `name@alias` or `name@version`, as the API takes it. */
  reference: string;
  name: string;
  version: string;
  alias: string | null;
}

/** Return what can be chosen: of each model first its aliases, then the other versions, newest first. */
export function modelChoices(
  models: { name: string; versions: string[]; aliases: Record<string, string> }[],
): ModelChoice[] {
  return models.flatMap(({ name, versions, aliases }) => {
    const named = Object.entries(aliases).map(([alias, version]) => ({
      reference: `${name}@${alias}`,
      name,
      version,
      alias,
    }));
    const others = versions
      .filter((version) => !Object.values(aliases).includes(version))
      .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((version) => ({ reference: `${name}@${version}`, name, version, alias: null }));
    return [...named, ...others];
  });
}
