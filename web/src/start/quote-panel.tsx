/** The expected time and cost of what is chosen, before anything is started. */
import type { Quote } from '../client.ts';
import { explainRecording } from '../errors.ts';
import { formatBytes, formatCount, formatDuration, formatUsd } from '../format.ts';
import { texts } from '../texts.ts';
import { Notice } from '../ui.tsx';

export interface QuoteAnswer {
  quote: Quote;
  recordings: Record<string, any>[];
}

export function QuoteFigures({ answer: { quote, recordings } }: { answer: QuoteAnswer }) {
  const failed = recordings.filter(({ error }) => error);
  return (
    <>
      <dl class="figures">
        <Figure label={texts.start.expectedTime} value={formatDuration(quote.expected_seconds)} />
        <Figure label={texts.start.expectedCost} value={formatUsd(quote.expected_usd)} />
        <Figure label={texts.start.audio} value={formatDuration(quote.audio_seconds)} />
        <Figure label={texts.start.recordingCount} value={formatCount(quote.recordings, 'recording')} />
      </dl>
      <details class="more">
        <summary>{texts.start.assumptions}</summary>
        <dl class="facts">
          <dt>{texts.start.workers}</dt>
          <dd>{quote.workers}</dd>
          <dt>{texts.start.storage}</dt>
          <dd>
            {formatBytes(quote.storage.bytes)}, {texts.start.perMonth(formatUsd(quote.storage.usd_per_month))}
          </dd>
          <dt>{texts.start.basis}</dt>
          <dd>{quote.assumptions.basis}</dd>
          <dd>{quote.assumptions.prices}</dd>
        </dl>
      </details>
      {failed.length > 0 && (
        <Notice tone="warning" title={texts.start.withErrors(failed.length)}>
          <p>{failed.length === recordings.length ? texts.start.noneReadable : texts.start.withErrorsText}</p>
          <ul class="left-out">
            {failed.map(({ name, error }) => (
              <li key={name}>
                <strong class="name">{name}</strong>: {explainRecording(name, error)}
              </li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
