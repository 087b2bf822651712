/** Files of a recording, of the whole execution, and everything as one archive. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { AnemonefishError } from '../client.ts';
import type { Anemonefish, Execution, Format } from '../client.ts';
import { explain, isAbort } from '../errors.ts';
import { texts } from '../texts.ts';
import { ErrorNotice, Notice } from '../ui.tsx';
import { makeArchive, saveBlob, saveLink } from './archive.ts';
import type { ArchiveEntry, ArchiveProgress } from './archive.ts';
import type { Decided } from './decisions.ts';
import type { JobFile, Recording } from './job-results.ts';

const words = texts.results.downloads;
const FORMATS = Object.keys(words.formats) as Format[];

interface Props {
  client: Anemonefish;
  execution: Execution;
  recordings: readonly Recording[];
  files: readonly JobFile[];
  /** The decision that is shown, or null for the execution's own settings. */
  decided: Decided | null;
  /** The recording that the screen shows; null for all. */
  recording: number | null;
}

export function Downloads({ client, execution, recordings, files, decided, recording }: Props) {
  const available = recordings.filter(({ status }) => status !== 'failed');
  const [chosen, setChosen] = useState<number | null>(null);
  const [busy, setBusy] = useState<Format | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => setChosen(recording), [recording]);
  const of = available.find((each) => each.recording === (chosen ?? available[0]?.recording));
  const save = async (format: Format) => {
    if (!of) return;
    setBusy(format);
    setError(null);
    try {
      const file = await client.file(execution.id, format, { recording: of.recording, decision: decided?.decision });
      saveLink(file.url, file.filename);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(null);
    }
  };
  /** A link is asked for when it is needed: links expire, and an expired one would lead away from the page. */
  const saveJobFile = async (name: string) => {
    setError(null);
    try {
      const file = (await client.files(execution.id)).files.find((each) => each.name === name);
      if (file) saveLink(file.url, file.name);
    } catch (problem) {
      setError(problem);
    }
  };
  const jobFiles = files.filter(({ name }) => !name.includes('/'));
  return (
    <section class="panel" aria-labelledby="downloads-heading">
      <h2 id="downloads-heading">{words.heading}</h2>
      <div class="downloads">
        {of && (
          <div>
            {available.length > 1 ? (
              <label class="field">
                <span>{words.chooseRecording}</span>
                <select value={of.recording} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
                  {available.map((each) => (
                    <option key={each.recording} value={each.recording}>
                      {each.name}
                    </option>
                  ))}
                </select>
              </label>
            ) : (
              <h3>{words.ofRecording(of.name)}</h3>
            )}
            <div class="download-list">
              {FORMATS.map((format) => (
                <button key={format} type="button" class="small" disabled={busy !== null} aria-busy={busy === format} onClick={() => save(format)}>
                  {words.formats[format]}
                </button>
              ))}
            </div>
          </div>
        )}
        <div>
          <h3>{words.ofJob}</h3>
          <div class="download-list">
            {!decided &&
              jobFiles.map(({ name }) => (
                <button key={name} type="button" class="small" onClick={() => void saveJobFile(name)}>
                  {name}
                </button>
              ))}
            <Archive client={client} execution={execution} recordings={available} decided={decided} />
          </div>
        </div>
      </div>
      {error !== null && <ErrorNotice error={error} />}
    </section>
  );
}

type ArchiveState =
  | { kind: 'idle' }
  | { kind: 'running'; progress: ArchiveProgress }
  | { kind: 'done'; progress: ArchiveProgress }
  | { kind: 'failed'; error: unknown };

function Archive({
  client,
  execution,
  recordings,
  decided,
}: {
  client: Anemonefish;
  execution: Execution;
  recordings: readonly Recording[];
  decided: Decided | null;
}) {
  const [state, setState] = useState<ArchiveState>({ kind: 'idle' });
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  const run = async () => {
    const { signal } = (controller.current = new AbortController());
    let progress = { files: 0, bytes: 0 };
    setState({ kind: 'running', progress });
    try {
      const entries = decided ? decidedEntries(client, execution, recordings, decided, signal) : ownEntries(client, execution.id, signal);
      const blob = await makeArchive(entries, signal, (next) => {
        progress = next;
        setState({ kind: 'running', progress });
      });
      saveBlob(blob, `${decided ? `${execution.id}-${decided.decision}` : execution.id}.zip`);
      setState({ kind: 'done', progress });
    } catch (error) {
      setState(signal.aborted || isAbort(error) ? { kind: 'idle' } : { kind: 'failed', error });
    }
  };
  const progress = state.kind === 'running' || state.kind === 'done' ? state.progress : null;
  return (
    <>
      <button type="button" class="primary" disabled={state.kind === 'running'} onClick={run}>
        {decided ? words.archiveDecided : words.archive}
      </button>
      <p class="small muted">{decided ? words.archiveDecidedNote : words.archiveOwnNote}</p>
      {decided && decided.events.size < recordings.length && (
        <p class="small">{words.scopeNote(decided.events.size, recordings.length)}</p>
      )}
      {progress && (
        <p class="small" role="status">
          {(state.kind === 'done' ? words.done : words.collecting)(progress.files, (progress.bytes / 1e6).toFixed(1))}
        </p>
      )}
      {state.kind === 'running' && (
        <button type="button" onClick={() => controller.current?.abort()}>
          {words.cancel}
        </button>
      )}
      {state.kind === 'failed' && (
        <Notice tone="error" title={words.failed}>
          {explain(state.error).text}
        </Notice>
      )}
    </>
  );
}

/** Every file of the execution, page after page. */
async function* ownEntries(client: Anemonefish, id: string, signal: AbortSignal): AsyncGenerator<ArchiveEntry> {
  for await (const { name, url } of client.allFiles(id, { signal })) {
    if (url === null) throw new AnemonefishError('ResultArchived', words.archived(name));
    yield { name, content: async () => url };
  }
}

/** The files of every recording that was decided again, in the formats of the execution, and the settings. */
async function* decidedEntries(
  client: Anemonefish,
  execution: Execution,
  recordings: readonly Recording[],
  { decision, settings, events }: Decided,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const about = { execution: execution.id, decision, model: execution.model, settings };
  yield { name: 'settings.json', content: async () => new Blob([`${JSON.stringify(about, null, 2)}\n`]) };
  const asked = execution.settings.formats;
  const formats = Array.isArray(asked) ? (asked as Format[]) : FORMATS;
  for (const { recording } of recordings.filter((each) => events.has(each.recording))) {
    for (const format of formats) {
      signal.throwIfAborted();
      const { filename, url } = await client.file(execution.id, format, { recording, decision, signal });
      yield { name: filename, content: async () => url };
    }
  }
}
