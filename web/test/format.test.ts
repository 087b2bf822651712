import assert from 'node:assert/strict';
import test from 'node:test';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRemaining,
  newlySaid,
  formatTimeOfDay,
  formatUsd,
} from '../src/format.ts';

test('bytes are shown in decimal units with three digits', () => {
  const shown: [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1600, '1.6 kB'],
    [44_800_044, '44.8 MB'],
    [999_600, '1 MB'],
    [53_687_091_200, '53.7 GB'],
    [1e12, '1 TB'],
  ];
  for (const [bytes, text] of shown) assert.equal(formatBytes(bytes), text);
});

test('a duration has its two largest units', () => {
  const shown: [number, string][] = [
    [0, '0 s'],
    [0.44, '0.4 s'],
    [59.7, '1 min'],
    [488.8, '8 min 9 s'],
    [3600, '1 h'],
    [7260, '2 h 1 min'],
    [86_400 * 2 + 3600, '2 days 1 h'],
    [86_400, '1 day'],
    [Number.NaN, '–'],
  ];
  for (const [seconds, text] of shown) assert.equal(formatDuration(seconds), text);
});

test('a remaining time is rounded, because it is an estimate', () => {
  assert.equal(formatRemaining(2), 'a few seconds');
  assert.equal(formatRemaining(42), 'about 45 s');
  assert.equal(formatRemaining(130), 'about 2 min');
  assert.equal(formatRemaining(7300), 'about 2 h');
});

test('small amounts of money keep two digits, and are never shown as nothing', () => {
  assert.equal(formatUsd(0), '0.00 USD');
  assert.equal(formatUsd(0.00092), '0.00092 USD');
  assert.equal(formatUsd(0.0123), '0.012 USD');
  assert.equal(formatUsd(12.345), '12.35 USD');
  assert.equal(formatUsd(0.000001), 'less than 0.00001 USD');
});

test('a hundred percent means complete', () => {
  assert.equal(formatPercent(999, 1000), '99 %');
  assert.equal(formatPercent(1000, 1000), '100 %');
  assert.equal(formatPercent(0, 0), '0 %');
});

test('a count has the noun in its number', () => {
  assert.equal(formatCount(1, 'file'), '1 file');
  assert.equal(formatCount(1234, 'file'), '1,234 files');
});

test('the time of day has its date if that is not today', () => {
  const now = new Date('2026-11-29T12:00:00');
  assert.equal(formatTimeOfDay('2026-11-29T14:05:00', now), '14:05');
  assert.equal(formatTimeOfDay('2026-11-30T14:05:00', now), '30 Nov 2026, 14:05');
});

test('a sentence that is said twice changes the live region twice', () => {
  const first = newlySaid('', 'Your verdict: No');
  const second = newlySaid(first, 'Your verdict: No');
  assert.equal(first, 'Your verdict: No');
  assert.notEqual(second, first);
  assert.equal(second.trim(), first);
  assert.equal(newlySaid(second, 'Your verdict: No'), first);
});
