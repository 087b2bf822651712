/** Judging a sample of the results by key. The rules are those of docs/review.md. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { AnemonefishError } from '../client.ts';
import type { Anemonefish } from '../client.ts';
import { explain, isAbort } from '../errors.ts';
import { links } from '../navigation.ts';
import { saveLink } from '../results/archive.ts';
import { SoundProblem } from '../results/event-view.tsx';
import { usePlayer } from '../results/player.ts';
import { nextZoom, SoundControls, useSoundSettings } from '../results/sound-controls.tsx';
import { SoundCache, stretchAround } from '../results/sound.ts';
import { Spectrogram } from '../results/spectrogram.tsx';
import { useSound } from '../results/use-sound.ts';
import { texts } from '../texts.ts';
import { announce, Busy, ErrorNotice, Notice, Screen } from '../ui.tsx';
import { localKeeper, verdictQueues } from './queues-of-user.ts';
import type { Judged, Stretch, VerdictQueue } from './verdict-queue.ts';
import { actionOf, cleanName, judgedAs, LONGEST_NAME, markedAs, markOf, nextOpen, withEdge } from './verdicts.ts';
import '../results/results.css';
import './review.css';

const words = texts.review;

type Draw = Awaited<ReturnType<Anemonefish['reviewUnits']>>;
type Unit = Draw['units'][number];

interface Reviewer {
  name: string;
  clips: number;
}

/** Seconds that are shown before and after a stretch. */
const MARGIN = 1;
const SEED = 0;
const REVIEWER = 'anemonefish.reviewer';

export function ReviewScreen({ client, id }: { client: Anemonefish; id: string }) {
  const [reviewer, setReviewer] = useState<Reviewer | null>(null);
  return (
    <Screen title={words.title}>
      <p>
        <a href={links.execution(id)}>{words.back}</a>
      </p>
      {verdictQueues.user.value === null ? (
        <Busy />
      ) : reviewer ? (
        <Sample key={`${reviewer.name}/${reviewer.clips}`} client={client} id={id} reviewer={reviewer} onChange={() => setReviewer(null)} />
      ) : (
        <ReviewerForm onStart={setReviewer} />
      )}
    </Screen>
  );
}

/** Asks for the name and the size of the sample. */
function ReviewerForm({ onStart }: { onStart: (reviewer: Reviewer) => void }) {
  const known = useMemo(readReviewer, []);
  const [name, setName] = useState(known?.name ?? '');
  const [clips, setClips] = useState(known?.clips ?? 100);
  const [missing, setMissing] = useState(false);
  const start = (event: Event) => {
    event.preventDefault();
    const cleaned = cleanName(name);
    setMissing(!cleaned);
    if (!cleaned) return;
    const reviewer = { name: cleaned, clips: Math.min(1000, Math.max(2, Math.round(clips) || 100)) };
    writeLocal(REVIEWER, JSON.stringify(reviewer));
    onStart(reviewer);
  };
  return (
    <form class="review panel who" onSubmit={start}>
      <h2>{words.who.heading}</h2>
      <p>{words.who.intro}</p>
      <label class="field">
        <span>{words.who.name}</span>
        <input
          value={name}
          maxLength={LONGEST_NAME}
          autocomplete="name"
          required
          aria-describedby="name-help"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <p id="name-help" class="small muted">
        {words.who.nameHelp}
      </p>
      {missing && <Notice tone="error" title={words.who.nameMissing} />}
      <label class="field">
        <span>{words.who.clips}</span>
        <input type="number" min="2" max="1000" value={clips} onInput={(event) => setClips(Number(event.currentTarget.value))} />
      </label>
      <p class="small muted">{words.who.clipsHelp}</p>
      <div>
        <button class="primary">{words.who.start}</button>
      </div>
    </form>
  );
}

/** Draws the sample, and reads what this reviewer has judged before. */
function Sample({ client, id, reviewer, onChange }: { client: Anemonefish; id: string; reviewer: Reviewer; onChange: () => void }) {
  const [draw, setDraw] = useState<Draw | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const queue = useMemo(() => verdictQueues.open(id, reviewer.name), [client, id, reviewer.name]);
  void verdictQueues.version.value; // shown again whenever the queue changes
  useEffect(() => {
    void queue.flush(); // what an earlier visit could not send
    return () => void queue.flush();
  }, [queue]);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setError(null);
    Promise.all([client.reviewUnits(id, { clips: reviewer.clips, seed: SEED, signal }), client.verdicts(id, { signal })]).then(
      ([drawn, verdicts]) => {
        if (signal.aborted) return;
        queue.merge(
          verdicts
            .filter((each) => each.reviewer === reviewer.name)
            .map((each) => ({
              recording: each.recording,
              start_sample: each.start_sample,
              stop_sample: each.stop_sample,
              class: each.class,
              verdict: each.verdict,
              calls: each.calls ?? null,
              mark_start_sample: each.mark_start_sample ?? null,
              mark_stop_sample: each.mark_stop_sample ?? null,
            })),
        );
        setDraw(drawn);
      },
      (problem) => !signal.aborted && !isAbort(problem) && setError(problem),
    );
    return () => controller.abort();
  }, [client, id, reviewer, queue, attempt]);
  if (error) {
    return (
      <>
        <ErrorNotice error={error} retry={() => setAttempt(attempt + 1)} />
        {queue.waiting > 0 && <Stored queue={queue} />}
      </>
    );
  }
  if (!draw) return <Busy text={words.loading} />;
  if (!draw.units.length) return <p>{words.noClips}</p>;
  return (
    <div class="review">
      <Judging client={client} id={id} draw={draw} queue={queue} reviewer={reviewer} onChange={onChange} />
      <Stored queue={queue} />
      <Export client={client} id={id} clips={reviewer.clips} />
      <Keys />
    </div>
  );
}

function Judging({
  client,
  id,
  draw,
  queue,
  reviewer,
  onChange,
}: {
  client: Anemonefish;
  id: string;
  draw: Draw;
  queue: VerdictQueue;
  reviewer: Reviewer;
  onChange: () => void;
}) {
  const { units, target_class: label } = draw;
  void verdictQueues.version.value; // its properties stay the same when a verdict is cleared or a call is marked
  const stretches = useMemo(() => units.map((unit) => stretchOf(unit, label)), [units, label]);
  const isJudged = stretches.map((stretch) => queue.get(stretch) !== null);
  const judgedCount = isJudged.filter(Boolean).length;
  const [at, setAt] = useState(() => (judgedCount ? (nextOpen(isJudged, -1) ?? 0) : 0));
  const [naming, setNaming] = useState(false);
  const [showScore, setShowScore] = useState(false);
  const [unplayable, setUnplayable] = useState(false);
  const unit = units[at];
  const stretch = stretches[at];
  const judged = queue.get(stretch);
  const { player, playing } = usePlayer();
  const [settings, change] = useSoundSettings(player);
  const cache = useMemo(() => new SoundCache(client, id), [client, id]);
  useEffect(() => () => cache.close(), [cache]);
  const placeOf = ({ recording, start_time, end_time }: Unit) => ({
    recording,
    stretch: stretchAround(start_time, end_time, MARGIN, null),
  });
  const state = useSound(cache, player, placeOf(unit), at + 1 < units.length ? placeOf(units[at + 1]) : null);
  const [classes, setClasses] = useState<string[]>([]);
  useEffect(() => {
    const [name, version] = draw.model.split(/[@+]/);
    const propose = ({ classes: all }: { classes: string[] }) => setClasses(all.filter((each) => each !== label));
    client.model(name, version).then(propose, () => {}); // without proposals a name can still be typed
  }, [client, draw.model, label]);
  const position = useRef<HTMLHeadingElement>(null);
  // Focus that stayed on an answer would make the next Space, which plays, an answer about a clip that nobody has heard.
  const focusHeading = () => position.current?.focus({ preventScroll: true });
  useEffect(focusHeading, []);

  const go = (index: number) => {
    focusHeading();
    setAt(Math.min(Math.max(index, 0), units.length - 1));
    setNaming(false);
    setUnplayable(false);
  };
  const put = (next: Judged | null) => queue.put(stretch, next);
  const judge = (verdict: string, calls: number | null = null) => {
    put(judgedAs(judged, verdict, calls));
    announce(words.verdict(verdictText(verdict)));
    go(at + 1); // the last clip stays
  };
  const play = () => player.toggle().catch(() => setUnplayable(true));
  const mark = (start: number, stop: number) => {
    if (state.kind !== 'ready') return;
    const samples = markOf(start, stop, state.sound, unit.sample_rate);
    if (samples) put(markedAs(judged, samples));
  };
  const marked = judged?.mark?.map((sample) => sample / unit.sample_rate) as [number, number] | undefined;
  const markEdge = (edge: 'start' | 'stop') => {
    if (state.kind !== 'ready') return;
    const moved = withEdge(edge, state.sound.begins + player.time, marked ?? [unit.start_time, unit.end_time]);
    if (moved) mark(...moved);
    else announce(words.markBackwards);
  };
  const act = (key: string): boolean => {
    const action = actionOf(key);
    switch (action?.kind) {
      case undefined:
        return false;
      case 'judge':
        judge((action as { verdict: string }).verdict, (action as { calls: number | null }).calls);
        return true;
      case 'other':
        setNaming(true);
        return true;
      case 'clear':
        put(null);
        return true;
      case 'play':
        void play();
        return true;
      case 'zoom':
        change({ zoom: nextZoom(settings.zoom) });
        return true;
      case 'mark-start':
      case 'mark-stop':
        markEdge(action?.kind === 'mark-start' ? 'start' : 'stop');
        return true;
      case 'previous':
      case 'next':
        go(at + (action?.kind === 'next' ? 1 : -1));
        return true;
    }
    return false;
  };
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof HTMLElement)) return;
      const { target } = event;
      const typing = target.matches('input:not([type=checkbox]):not([type=range]), select, textarea');
      if (typing) return;
      // Space and arrows keep their meaning on controls that have one.
      if (event.key === ' ' && target.matches('button, summary, input, a')) return;
      if (event.key.startsWith('Arrow') && target.matches('input')) return;
      if (event.repeat && !event.key.startsWith('Arrow')) return;
      if (latest.current(event.key)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const open = nextOpen(isJudged, at);
  const verdict = judged?.verdict ?? '';
  return (
    <section class="panel" aria-labelledby="position">
      <div class="panel-head">
        <h2 id="position" ref={position} tabIndex={-1}>
          {words.position(at + 1, units.length)}
        </h2>
        <p class="small">
          {words.reviewer(reviewer.name)}{' '}
          <button type="button" class="small" onClick={onChange}>
            {words.change}
          </button>
        </p>
      </div>
      <div class="review-progress">
        <progress max={units.length} value={judgedCount} aria-label={words.progress(judgedCount, units.length)} />
        <span class="small">{words.progress(judgedCount, units.length)}</span>
      </div>
      <p>
        <strong>{words.question(label)}</strong> <span class="small muted">{words.rule}</span>
      </p>
      {state.kind === 'loading' && (
        <div class="sound-place">
          <Busy text={texts.results.sound.loading} />
        </div>
      )}
      {state.kind === 'failed' && <SoundProblem error={state.error} />}
      {state.kind === 'ready' && (
        <>
          <Spectrogram
            sound={state.sound}
            player={player}
            frame={[unit.start_time, unit.end_time]}
            mark={marked ?? null}
            zoom={settings.zoom}
            onMark={([start, stop]) => mark(start, stop)}
          />
          <SoundControls player={player} playing={playing} settings={settings} onChange={change} onError={() => setUnplayable(true)} />
          {unplayable && <Notice tone="error" title={texts.results.sound.noSound} />}
        </>
      )}
      <div class="answers" role="group" aria-label={words.question(label)}>
        <Answer text={words.yes} hint="Y" pressed={verdict === 'yes'} onClick={() => judge('yes')} />
        <Answer text={words.no} hint="N" pressed={verdict === 'no'} onClick={() => judge('no')} />
        <Answer text={words.unsure} hint="U" pressed={verdict === 'unsure'} onClick={() => judge('unsure')} />
        <Answer text={words.other} hint="O" pressed={verdict.startsWith('other:')} onClick={() => setNaming(!naming)} />
      </div>
      {naming && <OtherClass classes={classes} onSet={(name) => judge(`other:${name}`)} onCancel={() => setNaming(false)} />}
      <p role="status">
        {judged
          ? words.verdict(judged.calls === null ? verdictText(verdict) : words.verdictCalls(verdictText(verdict), judged.calls))
          : words.verdictNone}
        {marked && ` · ${words.marked(marked[0].toFixed(2), marked[1].toFixed(2))}`}
      </p>
      <label class="calls">
        <span>{words.callsLabel}</span>
        <input
          type="number"
          min="1"
          max="999"
          inputMode="numeric"
          value={judged?.calls ?? ''}
          aria-describedby="calls-help"
          onChange={({ currentTarget: { value } }) => {
            if (/^[1-9]\d{0,2}$/.test(value)) put(judgedAs(judged, 'yes', Number(value)));
            else if (judged?.verdict === 'yes') put({ ...judged, calls: null });
          }}
        />
        <span id="calls-help" class="small muted">
          {words.callsHelp}
        </span>
      </label>
      <div class="button-row">
        <button type="button" disabled={at === 0} aria-keyshortcuts="ArrowLeft" onClick={() => go(at - 1)}>
          ← {words.previous}
        </button>
        <button type="button" disabled={at === units.length - 1} aria-keyshortcuts="ArrowRight" onClick={() => go(at + 1)}>
          {words.next} →
        </button>
        <button type="button" disabled={open === null} onClick={() => open !== null && go(open)}>
          {words.nextOpen}
        </button>
        <button type="button" disabled={!judged} aria-keyshortcuts="Backspace" onClick={() => put(null)}>
          {words.clear}
        </button>
        <button type="button" aria-keyshortcuts="[" onClick={() => markEdge('start')}>
          {words.markStart}
        </button>
        <button type="button" aria-keyshortcuts="]" onClick={() => markEdge('stop')}>
          {words.markStop}
        </button>
        {judged?.mark && (
          <button type="button" onClick={() => put({ ...judged, mark: null })}>
            {words.markClear}
          </button>
        )}
      </div>
      <p class="small muted">{words.markHelp}</p>
      <p class="small muted where">{words.where(unit.name, unit.start_time.toFixed(2), unit.end_time.toFixed(2))}</p>
      <label class="small check">
        <input type="checkbox" checked={showScore} onChange={(event) => setShowScore(event.currentTarget.checked)} /> {words.showScore}
        {showScore && ` ${words.score(unit.score.toFixed(3), unit.stratum)}`}
      </label>
      {judgedCount === units.length && <Notice tone="success" title={words.done} />}
    </section>
  );
}

function Answer({ text, hint, pressed, onClick }: { text: string; hint: string; pressed: boolean; onClick: () => void }) {
  return (
    <button type="button" aria-pressed={pressed} aria-keyshortcuts={hint.toLowerCase()} onClick={onClick}>
      {text} <kbd aria-hidden="true">{hint}</kbd>
    </button>
  );
}

function OtherClass({ classes, onSet, onCancel }: { classes: string[]; onSet: (name: string) => void; onCancel: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const name = cleanName(input.current?.value ?? '');
    if (name) onSet(name);
  };
  return (
    <form class="other-class" onSubmit={submit} onKeyDown={(event) => event.key === 'Escape' && onCancel()}>
      <label>
        <span>{words.otherLabel}</span> <input ref={input} maxLength={LONGEST_NAME} autocomplete="off" list="known-classes" required />
      </label>
      <datalist id="known-classes">
        {classes.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <button class="primary">{words.otherSet}</button>
    </form>
  );
}

/** Says where the verdicts are: with the service, in this browser, or nowhere. */
function Stored({ queue }: { queue: VerdictQueue }) {
  const { waiting, refused, kept, error } = queue;
  const unsent = waiting - refused;
  const passing = error instanceof AnemonefishError && error.status === 0;
  const isGone = error instanceof AnemonefishError && error.status === 404;
  return (
    <div role="status">
      {waiting === 0 ? (
        <p class="small muted">{words.stored}</p>
      ) : !kept ? (
        <Notice tone="error" title={words.notKept(waiting)} />
      ) : (
        unsent > 0 && <p class="small">{words.waiting(unsent)}</p>
      )}
      {error !== null && !passing && (
        <Notice tone="error" title={refused ? words.refusedSome(refused) : words.refused}>
          {explain(error).text} {refused > 0 && words.refusedHelp}
        </Notice>
      )}
      {error !== null && (
        <div class="button-row">
          <button type="button" onClick={() => void queue.sendAgain()}>
            {words.sendNow}
          </button>
          {(refused > 0 || isGone) && (
            <button type="button" onClick={() => queue.discard()}>
              {words.discard(refused || waiting)}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Export({ client, id, clips }: { client: Anemonefish; id: string; clips: number }) {
  const [error, setError] = useState<unknown>(null);
  const [leftOut, setLeftOut] = useState(0);
  const save = async (format: 'verdicts' | 'labels') => {
    setError(null);
    setLeftOut(0);
    try {
      const file = await client.verdictFile(id, format, { clips, seed: SEED });
      saveLink(file.url, file.name);
      setLeftOut(file.left_out);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <section class="panel" aria-labelledby="export-heading">
      <h2 id="export-heading">{words.export.heading}</h2>
      <div class="button-row">
        <button type="button" onClick={() => save('verdicts')}>
          {words.export.verdicts}
        </button>
        <button type="button" onClick={() => save('labels')}>
          {words.export.labels}
        </button>
      </div>
      <p class="small muted">{words.export.help}</p>
      <div role="status">{leftOut > 0 && <Notice tone="warning" title={words.export.leftOut(leftOut)} />}</div>
      {error !== null && <ErrorNotice error={error} />}
    </section>
  );
}

function Keys() {
  return (
    <details>
      <summary>{words.keys}</summary>
      <dl class="keys">
        {words.keysList.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

const stretchOf = ({ recording, start_sample, stop_sample, kind }: Unit, label: string): Stretch => ({
  recording,
  start_sample,
  stop_sample,
  class: label,
  kind,
});

function verdictText(verdict: string): string {
  if (verdict.startsWith('other:')) return verdict.slice(6);
  return verdict === 'yes' ? words.yes : verdict === 'no' ? words.no : words.unsure;
}

function readReviewer(): Reviewer | null {
  try {
    const { name, clips } = JSON.parse(localKeeper()?.getItem(REVIEWER) ?? '');
    return typeof name === 'string' && clips > 0 ? { name, clips } : null;
  } catch {
    return null;
  }
}

function writeLocal(key: string, value: string): void {
  try {
    localKeeper()?.setItem(key, value);
  } catch {
    // the name is asked for again the next time
  }
}
