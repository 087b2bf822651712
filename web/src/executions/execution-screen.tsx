/** One execution: its progress while it runs, its results when it has succeeded. */
import { useEffect, useState } from 'preact/hooks';
import type { Anemonefish, ErrorReason, Execution } from '../client.ts';
import { explainReason, explainRecording, SYSTEM_ERRORS } from '../errors.ts';
import { formatMoment, formatRemaining, formatTimeOfDay } from '../format.ts';
import { ResultsScreen } from '../results/results-screen.tsx';
import { texts } from '../texts.ts';
import { announce, Busy, ErrorNotice, Notice, ProgressBar, Screen } from '../ui.tsx';
import { StatusBadge } from './status-badge.tsx';
import { useExecution } from './use-execution.ts';

export function ExecutionScreen({ client, id }: { client: Anemonefish; id: string }) {
  const [round, setRound] = useState(0);
  const { execution, error, interruption, setExecution } = useExecution(client, id, round);
  const [acting, setActing] = useState<'cancel' | 'resume' | null>(null);
  const [actionError, setActionError] = useState<unknown>(null);
  const act = async (action: 'cancel' | 'resume') => {
    setActing(action);
    setActionError(null);
    try {
      setExecution(await client[action](id));
    } catch (reason) {
      setActionError(reason);
    }
    setActing(null);
    setRound((before) => before + 1);
  };
  const resume = () => void act('resume');
  useAnnouncedProgress(execution);

  if (execution?.status === 'SUCCEEDED') {
    return (
      <>
        <FailedRecordings execution={execution} acting={acting} error={actionError} resume={resume} />
        <ResultsScreen client={client} execution={execution} />
      </>
    );
  }
  return (
    <Screen
      title={execution ? texts.execution.title(formatMoment(execution.created_at)) : texts.execution.loading}
      tab={tabText(execution)}
    >
      {error !== null && <ErrorNotice error={error} retry={() => setRound(round + 1)} />}
      {!execution && error === null && <Busy />}
      {execution && (
        <>
          <p class="facts-line">
            <StatusBadge status={execution.status} />
            <span>
              {execution.model.name} {execution.model.version}
            </span>
            {execution.attempt > 1 && <span>{texts.execution.attempt(execution.attempt)}</span>}
            <code>{execution.id}</code>
          </p>
          {actionError !== null && <ErrorNotice error={actionError} />}
          {interruption && (
            <Notice tone="warning" title={explainReason({ error: interruption, message: '' }).title}>
              <p>{interruption === 'NotStarted' ? texts.execution.notStarted : texts.execution.connection}</p>
            </Notice>
          )}
          <section class="card stack" aria-labelledby="progress-heading">
            <h2 id="progress-heading">{texts.execution.progress}</h2>
            <Progress execution={execution} />
            <div class="actions">
              {isActive(execution) ? (
                <button type="button" disabled={acting !== null} onClick={() => void act('cancel')}>
                  {acting === 'cancel' ? texts.execution.cancelling : texts.execution.cancel}
                </button>
              ) : (
                <button type="button" class="primary" disabled={acting !== null} onClick={resume}>
                  {acting === 'resume' ? texts.execution.resuming : texts.execution.resume}
                </button>
              )}
            </div>
          </section>
          <Recordings execution={execution} />
          <Settings settings={execution.settings} />
        </>
      )}
    </Screen>
  );
}

function tabText(execution: Execution | null): string {
  if (!execution) return '';
  const { status, ranges_done: done, ranges_total: total } = execution;
  return status === 'RUNNING' && total ? texts.execution.percent(done, total) : texts.executions.states[status];
}

function isActive({ status }: Execution): boolean {
  return status === 'PENDING' || status === 'RUNNING';
}

function Progress({ execution }: { execution: Execution }) {
  const { status, queue, error, ranges_done: done, ranges_total: total } = execution;
  if (status === 'FAILED' || status === 'CANCELLED') {
    const reason = status === 'FAILED' && error ? explainReason(error) : null;
    return (
      <>
        <Notice
          tone={status === 'FAILED' ? 'error' : 'warning'}
          title={reason?.title ?? texts.execution[status === 'FAILED' ? 'failed' : 'cancelled']}
        >
          {reason?.text && <p>{reason.text}</p>}
          {status === 'CANCELLED' && <p>{texts.execution.cancelledText}</p>}
        </Notice>
        {total !== null && <p>{texts.execution.parts(done, total)}</p>}
      </>
    );
  }
  return (
    <>
      <ProgressBar value={done} max={status === 'RUNNING' ? total : null} label={texts.execution.progress} />
      {queue ? (
        <>
          <p>
            <strong>{texts.execution.queue(queue.position)}</strong>
          </p>
          <p>{texts.execution.queueText}</p>
        </>
      ) : status === 'PENDING' ? (
        <p>{texts.execution.pending}</p>
      ) : total === null ? (
        <p>{texts.execution.planning}</p>
      ) : (
        <p>{done < total ? texts.execution.parts(done, total) : texts.execution.finishing}</p>
      )}
      <ExpectedEnd moment={execution.expected_end} />
      <p class="help">{texts.execution.close}</p>
    </>
  );
}

/** The expected end, counted down between the polls. */
function ExpectedEnd({ moment }: { moment: string | null }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  if (!moment) return null;
  const seconds = (Date.parse(moment) - now) / 1000;
  return (
    <p>
      {seconds > 0
        ? texts.execution.expectedEnd(formatTimeOfDay(moment), formatRemaining(seconds))
        : texts.execution.overdue}
    </p>
  );
}

interface RecordingState {
  recording: number;
  name: string;
  ranges_done: number;
  ranges_total: number | null;
  error: ErrorReason | null;
}

function Recordings({ execution }: { execution: Execution }) {
  const recordings = execution.recordings as RecordingState[];
  if (!recordings.length) return null;
  return (
    <section class="card stack" aria-labelledby="recordings-heading">
      <h2 id="recordings-heading">{texts.execution.recordings}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label={texts.execution.list}>
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">{texts.execution.recording}</th>
              <th scope="col">{texts.execution.state}</th>
            </tr>
          </thead>
          <tbody>
            {recordings.map((recording) => (
              <tr key={recording.recording}>
                <td class="name">
                  {recording.name}
                  {recording.error && <p class="row-error">{explainRecording(recording.name, recording.error)}</p>}
                </td>
                <td class="state">
                  <RecordingProgress recording={recording} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function RecordingProgress({
  recording: { name, error, ranges_done: done, ranges_total: total },
}: {
  recording: RecordingState;
}) {
  if (error) return <span class="badge error">{texts.executions.states.FAILED}</span>;
  if (total && done >= total) return <span class="badge success">{texts.execution.done}</span>;
  if (!total || !done) return <span class="badge">{texts.execution.waits}</span>;
  return <ProgressBar value={done} max={total} label={`${name}: ${texts.execution.percent(done, total)}`} />;
}

function Settings({ settings }: { settings: Record<string, unknown> }) {
  const entries = Object.entries(settings);
  return (
    <section class="card stack" aria-labelledby="settings-heading">
      <h2 id="settings-heading">{texts.execution.settings}</h2>
      {entries.length ? (
        <dl class="facts">
          {entries.map(([name, value]) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
              </dt>
              <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <p class="muted">{texts.execution.noSettings}</p>
      )}
    </section>
  );
}

interface FailedProperties {
  execution: Execution;
  acting: 'cancel' | 'resume' | null;
  error: unknown;
  resume: () => void;
}

/** Recordings of an execution that succeeded, but failed by the service themselves: they can be computed again. */
function FailedRecordings({ execution, acting, error, resume }: FailedProperties) {
  const failed = (execution.recordings as RecordingState[]).filter((recording) =>
    SYSTEM_ERRORS.includes(recording.error?.error ?? ''),
  );
  if (!failed.length) return null;
  return (
    <aside class="screen wide above" aria-label={texts.execution.failedLabel}>
      {error !== null && <ErrorNotice error={error} />}
      <Notice tone="warning" title={texts.execution.systemFailures(failed.length)}>
        <p>{texts.execution.systemFailuresText}</p>
        <button type="button" class="primary" disabled={acting !== null} onClick={resume}>
          {acting === 'resume' ? texts.execution.resuming : texts.execution.resume}
        </button>
      </Notice>
    </aside>
  );
}

/** Tell a screen reader of every new state, and of every quarter. */
function useAnnouncedProgress(execution: Execution | null): void {
  const { status, ranges_done: done, ranges_total: total } = execution ?? {};
  const quarter = status === 'RUNNING' && total ? Math.floor((4 * done!) / total) * 25 : null;
  useEffect(() => {
    if (status) announce(texts.execution.announce(texts.executions.states[status], quarter));
  }, [status, quarter]);
}
