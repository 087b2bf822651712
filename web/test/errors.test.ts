import assert from 'node:assert/strict';
import test from 'node:test';
import { AnemonefishError } from '../src/client.ts';
import { explain, explainReason, explainRecording } from '../src/errors.ts';

test('a known error says what happened and what to do', () => {
  const { title, text, requestId } = explain(new AnemonefishError('NetworkError', 'no answer: Failed to fetch'));
  assert.equal(title, 'The service does not answer');
  assert.match(text, /connection/);
  assert.equal(requestId, null);
});

test('an error that names a field or a limit keeps the words of the service', () => {
  const error = new AnemonefishError('InvalidSettings', 'threshold must be below 1, not 2', {
    status: 400,
    requestId: 'r-1',
  });
  assert.match(explain(error).text, /The service says: threshold must be below 1, not 2/);
  assert.equal(explain(error).requestId, 'r-1');
});

test('an unknown error is shown with its name and its message', () => {
  assert.match(explain(new AnemonefishError('Flood', 'water')).text, /Flood: water/);
  assert.match(explain(new TypeError('x is not a function')).text, /x is not a function/);
  assert.match(explainReason({ error: 'Flood', message: 'water' }).text, /Flood: water/);
});

test('a broken recording has its reason once, without its name, and what to do', () => {
  const reason = { error: 'TruncatedRecording', message: 'a.wav: the file ends before its samples' };
  const sentence = explainRecording('a.wav', reason);
  assert.equal(sentence, 'The file ends before its samples. Copy it from the recorder again, if it is whole there.');
});
