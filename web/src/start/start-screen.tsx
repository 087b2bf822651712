/** Recordings are chosen and sent, model and settings chosen, time and cost shown, and the execution started. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Anemonefish } from '../client.ts';
import { AnemonefishError } from '../client.ts';
import { goTo, links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { announce, Busy, ErrorNotice, Notice, Screen, useLoad } from '../ui.tsx';
import type { ChosenFile } from '../uploads/chosen-files.ts';
import { DropZone } from '../uploads/drop-zone.tsx';
import { MOST_RECORDINGS } from '../uploads/file-checks.ts';
import type { LeftOut } from '../uploads/file-checks.ts';
import { uploadQueue } from '../uploads/queue-of-user.ts';
import { UploadList } from '../uploads/upload-list.tsx';
import type { UploadQueue } from '../uploads/upload-queue.ts';
import { forgetStartKey, readDraft, startKey, writeDraft } from './draft.ts';
import { ModelCard } from './model-card.tsx';
import { QuoteFigures } from './quote-panel.tsx';
import type { QuoteAnswer } from './quote-panel.tsx';
import { SettingsFields } from './settings-form.tsx';
import { modelChoices, readSettings } from './settings.ts';
import type { ModelChoice, ModelDocument } from './settings.ts';

/** Time without a change after which a quote is asked for, in ms. */
const QUIET_MS = 500;

export function StartScreen({ client }: { client: Anemonefish }) {
  const queue = uploadQueue.value;
  const models = useLoad((signal) => client.models({ signal }), [client]);
  const choices = modelChoices(models.value?.models ?? []);
  return (
    <Screen title={texts.start.title}>
      {models.error !== null && <ErrorNotice error={models.error} retry={models.reload} />}
      {models.value && !choices.length ? (
        <Notice tone="warning" title={texts.start.noModels}>
          <p>{texts.start.noModelsText}</p>
        </Notice>
      ) : queue && choices.length ? (
        <StartForm client={client} queue={queue} choices={choices} />
      ) : (
        models.error === null && <Busy />
      )}
    </Screen>
  );
}

function StartForm({ client, queue, choices }: { client: Anemonefish; queue: UploadQueue; choices: ModelChoice[] }) {
  const [draft, setDraft] = useState(readDraft);
  useEffect(() => writeDraft(draft), [draft]);
  const choice = choices.find(({ reference }) => reference === draft.model) ?? defaultChoice(choices);
  const model = useLoad<ModelDocument>(
    (signal) => client.model(choice.name, choice.alias ?? choice.version, { signal }),
    [client, choice.reference],
  );
  const shown = model.value?.name === choice.name && model.value.version === choice.version ? model.value : null;
  const { settings, problems } = shown ? readSettings(draft.form, shown) : { settings: {}, problems: {} };
  const add = useCallback((chosen: ChosenFile[], leftOut: LeftOut[]) => void queue.add(chosen, leftOut), [queue]);
  const chosen = { recordings: queue.completeIds.value, model: choice.reference, settings };
  return (
    <div class="start">
      <div class="start-main">
        <section aria-labelledby="recordings-heading" class="card stack">
          <h2 id="recordings-heading">{texts.start.recordings}</h2>
          <DropZone onChosen={add} />
          <UploadList queue={queue} />
        </section>
        <section aria-labelledby="model-heading" class="card stack">
          <h2 id="model-heading">{texts.start.model}</h2>
          <div class="field">
            <label for="model">{texts.start.modelLabel}</label>
            <select
              id="model"
              value={choice.reference}
              onChange={(event) => setDraft({ ...draft, model: event.currentTarget.value })}
            >
              {choices.map(({ reference, name, version, alias }) => (
                <option key={reference} value={reference}>
                  {name} {alias ? `${alias} (${texts.start.modelVersion(version)})` : texts.start.modelVersion(version)}
                </option>
              ))}
            </select>
          </div>
          {model.error !== null && <ErrorNotice error={model.error} retry={model.reload} />}
          {shown ? (
            <>
              <ModelCard model={shown} />
              <SettingsFields
                form={draft.form}
                model={shown}
                problems={problems}
                onChange={(form) => setDraft({ ...draft, form })}
              />
            </>
          ) : (
            model.error === null && <Busy />
          )}
        </section>
      </div>
      <section aria-labelledby="quote-heading" class="card stack start-side">
        <h2 id="quote-heading">{texts.start.quote}</h2>
        <QuoteAndStart
          client={client}
          queue={queue}
          request={chosen}
          ready={shown !== null}
          valid={!Object.keys(problems).length}
        />
      </section>
    </div>
  );
}

interface Request {
  recordings: string[];
  model: string;
  settings: Record<string, unknown>;
}

interface QuoteProperties {
  client: Anemonefish;
  queue: UploadQueue;
  request: Request;
  ready: boolean;
  valid: boolean;
}

function QuoteAndStart({ client, queue, request, ready, valid }: QuoteProperties) {
  const [answer, setAnswer] = useState<{ body: string; quote: QuoteAnswer | null; error: unknown } | null>(null);
  const [round, setRound] = useState(0);
  const [starting, setStarting] = useState(false);
  const [startError, setStartError] = useState<unknown>(null);
  const body = JSON.stringify(request);
  const tooMany = request.recordings.length > MOST_RECORDINGS;
  const quotable = ready && valid && request.recordings.length > 0 && !queue.busy.value && !tooMany;

  useEffect(() => {
    setStartError(null);
    if (!quotable) return;
    const controller = new AbortController();
    const finish = (quote: QuoteAnswer | null, error: unknown) => {
      if (controller.signal.aborted) return;
      setAnswer({ body, quote, error });
      if (error instanceof AnemonefishError && ['UploadNotFound', 'UploadExpired'].includes(error.error))
        void queue.verify();
    };
    const timer = setTimeout(() => {
      client.quote({ ...JSON.parse(body), signal: controller.signal }).then(
        (quote) => finish(quote, null),
        (error) => finish(null, error),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [client, queue, body, quotable, round]);

  const current = answer?.body === body ? answer : null;
  const withoutQuote = current?.error instanceof AnemonefishError && current.error.error === 'QuoteTooLarge';
  const readable = current?.quote?.recordings.some(({ error }) => !error) ?? false;
  const startable = quotable && !starting && (readable || withoutQuote);

  const start = async () => {
    setStarting(true);
    setStartError(null);
    try {
      const execution = await client.start({ ...request, idempotencyKey: startKey(request) });
      forgetStartKey();
      await queue.clear();
      announce(texts.start.started);
      goTo(links.execution(execution.id));
    } catch (error) {
      if (error instanceof AnemonefishError && error.error === 'IdempotencyConflict') forgetStartKey();
      setStartError(error);
      setStarting(false);
    }
  };

  return (
    <>
      {tooMany ? (
        <Notice tone="warning" title={texts.start.tooMany(MOST_RECORDINGS)} />
      ) : !request.recordings.length || queue.busy.value ? (
        <p class="muted">{queue.busy.value ? texts.start.quoteWaits : texts.start.quoteEmpty}</p>
      ) : !valid ? (
        <p class="muted">{texts.start.quoteProblem}</p>
      ) : current?.quote ? (
        <QuoteFigures answer={current.quote} />
      ) : current ? (
        <ErrorNotice error={current.error} retry={() => (setAnswer(null), setRound(round + 1))} />
      ) : (
        <Busy text={texts.start.quoteBusy} />
      )}
      {startError !== null && <ErrorNotice error={startError} />}
      {quotable && queue.unsent.value > 0 && (
        <Notice tone="warning" title={texts.start.unsent(queue.unsent.value)}>
          <p>{texts.start.unsentText}</p>
        </Notice>
      )}
      <button type="button" class="primary large" disabled={!startable} onClick={() => void start()}>
        {starting ? texts.start.submitting : texts.start.submit}
      </button>
    </>
  );
}

function defaultChoice(choices: ModelChoice[]): ModelChoice {
  return (
    choices.find(({ reference }) => reference === 'reef@production') ??
    choices.find(({ alias }) => alias === 'production') ??
    choices[0]
  );
}
