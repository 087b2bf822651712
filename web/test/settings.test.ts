import assert from 'node:assert/strict';
import test from 'node:test';
import { DEFAULTS, defaultThreshold, modelChoices, readNumber, readSettings } from '../src/start/settings.ts';
import type { ModelDocument, SettingsForm } from '../src/start/settings.ts';

const MODEL = {
  classes: ['noise', 'anemonefish', 'biological'],
  target_class: 'anemonefish',
  decision: {
    threshold: { '*': 0.5, biological: 0.6 },
    median_windows: 5,
    min_duration_seconds: 0.2,
    min_gap_seconds: 0.1,
  },
  sites: ['heron'],
} as unknown as ModelDocument;

const read = (form: Partial<SettingsForm>) => readSettings({ ...DEFAULTS, ...form }, MODEL);

test('what is left empty is not sent, so the model decides', () => {
  assert.deepEqual(read({}), { settings: {}, problems: {} });
  assert.deepEqual(read({ classes: ['anemonefish'] }).settings, {});
});

test('one class has one threshold, several classes have one each', () => {
  assert.deepEqual(read({ thresholds: { anemonefish: '0.7' } }).settings, { threshold: 0.7 });
  assert.deepEqual(read({ classes: ['biological'], thresholds: { anemonefish: '0.7' } }).settings, {
    target_class: 'biological',
  });
  assert.deepEqual(read({ classes: ['biological', 'anemonefish'], thresholds: { biological: '.8' } }).settings, {
    target_class: ['anemonefish', 'biological'],
    threshold: { biological: 0.8 },
  });
});

test('every other setting is sent with its type', () => {
  const { settings } = read({
    median_windows: '3',
    min_duration_seconds: '0',
    min_gap_seconds: '1.5',
    site: 'heron',
    review: ['pictures', 'clips'],
    time_zone: ' +10:00 ',
    channel: '2',
    full_scale_db: '170',
    damaged: 'refuse',
  });
  assert.deepEqual(settings, {
    median_windows: 3,
    min_duration_seconds: 0,
    min_gap_seconds: 1.5,
    site: 'heron',
    review: ['clips', 'pictures'],
    time_zone: '+10:00',
    channel: 2,
    full_scale_db: 170,
    damaged: 'refuse',
  });
});

test('a site of another model is not sent', () => {
  assert.deepEqual(read({ site: 'lizard-island' }).settings, {});
});

test('a value that the API would refuse is a problem of its field', () => {
  const { settings, problems } = read({
    thresholds: { anemonefish: '1' },
    median_windows: '4',
    channel: '0',
    full_scale_db: 'loud',
  });
  assert.deepEqual(settings, {});
  assert.deepEqual(Object.keys(problems).sort(), [
    'channel',
    'full_scale_db',
    'median_windows',
    'threshold anemonefish',
  ]);
});

test('numbers are read as the API reads them', () => {
  const value = (text: string) => readNumber(text, { low: 0, most: 10 }).value;
  assert.deepEqual(['1', '.5', '1e-3', ' 2. '].map(value), [1, 0.5, 0.001, 2]);
  assert.deepEqual(['1,5', '1_0', 'nan', 'Infinity', '0x1', '11'].map(value), Array(6).fill(null));
  assert.equal(readNumber('', { low: 0, most: 10 }).problem, null);
});

test('thresholds by class have one for every other class', () => {
  assert.equal(defaultThreshold(MODEL, 'biological'), 0.6);
  assert.equal(defaultThreshold(MODEL, 'anemonefish'), 0.5);
});

test('aliases are chosen first, then the other versions, newest first', () => {
  const models = [{ name: 'reef', versions: ['1.0.0', '1.9.0', '1.10.0'], aliases: { production: '1.9.0' } }];
  assert.deepEqual(
    modelChoices(models).map(({ reference }) => reference),
    ['reef@production', 'reef@1.10.0', 'reef@1.0.0'],
  );
});
