// A small client with types that are generated from the OpenAPI document. It must compile (lint/typescript.py). Lines
// under `@ts-expect-error` must not compile, so types that accept any value are detected too.
import type { components, operations } from './api';

type Schemas = components['schemas'];
type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : never;
type Answer<Name extends keyof operations, Status extends keyof operations[Name]['responses']> =
  Json<operations[Name]['responses'][Status]>;
type Request<Name extends keyof operations> = Json<NonNullable<operations[Name]['requestBody']>>;
type Query<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>;

export class Client {
  constructor(private readonly url: string, private readonly key: string) {}

  begin(body: Request<'begin_upload'>): Promise<Answer<'begin_upload', 201>> {
    return this.request('POST', '/uploads', body);
  }

  complete(upload: string): Promise<Answer<'complete_upload', 200>> {
    return this.request('POST', `/uploads/${upload}/complete`);
  }

  uploads(query: Query<'list_uploads'> = {}): Promise<Answer<'list_uploads', 200>> {
    return this.request('GET', `/uploads?limit=${query.limit ?? 20}`);
  }

  start(body: Request<'start_execution'>): Promise<Answer<'start_execution', 202>> {
    return this.request('POST', '/executions', body);
  }

  quote(body: Request<'start_execution'>): Promise<Answer<'start_execution', 200>> {
    const query: Query<'start_execution'> = { dry_run: true };
    return this.request('POST', `/executions?dry_run=${query.dry_run}`, body);
  }

  list(query: Query<'list_executions'> = {}): Promise<Answer<'list_executions', 200>> {
    return this.request('GET', `/executions?limit=${query.limit ?? 20}`);
  }

  follow(execution: string): Promise<Answer<'get_execution', 200>> {
    return this.request('GET', `/executions/${execution}`);
  }

  results(execution: string): Promise<Answer<'get_results', 200>> {
    return this.request('GET', `/executions/${execution}/results`);
  }

  decide(execution: string, body: Request<'decide_again'>): Promise<Answer<'decide_again', 200>> {
    return this.request('POST', `/executions/${execution}/decisions`, body);
  }

  hear(execution: string, recording: number, query: Query<'get_clip'>): Promise<Answer<'get_clip', 200>> {
    return this.request('GET', `/executions/${execution}/recordings/${recording}/clip?start=${query.start}&stop=${query.stop}`);
  }

  review(execution: string): Promise<Answer<'draw_review', 200>> {
    return this.request('GET', `/executions/${execution}/review`);
  }

  judge(execution: string, body: Request<'put_verdicts'>): Promise<Answer<'put_verdicts', 200>> {
    return this.request('PUT', `/executions/${execution}/verdicts`, body);
  }

  predict(body: Request<'predict'>): Promise<Answer<'predict', 200>> {
    return this.request('POST', '/inference/predict', body);
  }

  private async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = { 'x-api-key': this.key, 'content-type': 'application/json' };
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
    if (!answer.ok) {
      const failure = (await answer.json()) as Schemas['ErrorOut'];
      throw new Error(`${failure.error}: ${failure.message} (${failure.request_id})`);
    }
    return (await answer.json()) as T;
  }
}

export async function events(client: Client, filename: string, bytes: Blob): Promise<string[]> {
  const upload = await client.begin({ filename, size: bytes.size });
  if (upload.put) await fetch(upload.put.url, { method: 'PUT', body: bytes, headers: upload.put.headers });
  await client.complete(upload.id);
  const quote = await client.quote({ recordings: [upload.id], settings: { threshold: 0.6 } });
  console.log(quote.quote.expected_usd.toFixed(2), quote.model.engine);
  let execution = await client.start({ recordings: [upload.id] });
  while (execution.status === 'PENDING' || execution.status === 'RUNNING') execution = await client.follow(execution.id);
  const results = await client.results(execution.id);
  if (!('events' in results)) return [results.url];
  return results.events.map((event) => `${event.start_time} ${event.class} ${event.mean_confidence}`);
}

export async function labels(client: Client, base64: string): Promise<string> {
  const answer = await client.predict({ audio_data: base64, confidence_threshold: 0.5, smoothing_window: 5 });
  return 'audacity' in answer ? answer.audacity : JSON.stringify(answer.metadata.notes);
}

declare const client: Client;
void client.decide('e-', {});
// @ts-expect-error: an upload in a list has no link
void client.uploads().then(({ uploads }) => uploads.map((upload) => upload.put));
void client.review('e-').then(({ target_class, units }) =>
  client.judge('e-', {
    reviewer: 'Ana',
    verdicts: units.map(({ recording, start_sample, stop_sample, kind }) => ({
      recording, start_sample, stop_sample, kind, class: target_class, verdict: 'yes',
    })),
  }),
);
// @ts-expect-error: a clip has an end
void client.hear('e-', 0, { start: 1 });
// @ts-expect-error: a verdict is about a class
void client.judge('e-', { reviewer: 'Ana', verdicts: [{ recording: 0, start_sample: 0, stop_sample: 1, verdict: null }] });
// @ts-expect-error: an execution needs recordings
void client.start({});
// @ts-expect-error: a request cannot set the memory
void client.start({ recordings: [], settings: { memory_mb: 10240 } });
// @ts-expect-error: a clip cannot set the processor
void client.predict({ audio_data: '', architecture: 'arm64' });
// @ts-expect-error: a threshold is a number
void client.decide('e-', { threshold: '0.5' });
// @ts-expect-error: there is no such status
void client.follow('e-').then((execution) => execution.status === 'DONE');
