/** The results of an execution that has succeeded: figures, time line, table, one event, downloads. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Anemonefish, Execution } from '../client.ts';
import { isAbort, withoutName } from '../errors.ts';
import { capital, formatMoment } from '../format.ts';
import { links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { Busy, ErrorNotice, Notice, Screen } from '../ui.tsx';
import { formatSeconds, formatTimeInZone } from './clock.ts';
import { DecisionPanel } from './decision-panel.tsx';
import { Decider, settingsKey, shownAfter } from './decisions.ts';
import type { DecisionSettings, DecisionState, Shown } from './decisions.ts';
import { Downloads } from './downloads.tsx';
import { filterEvents, NO_FILTER, sortEvents } from './event-order.ts';
import type { EventFilter, Sort } from './event-order.ts';
import { eventAt, tableOfEvents } from './event-table.ts';
import type { EventFields, EventTable, EventView as Event } from './event-table.ts';
import { EventView } from './event-view.tsx';
import { EventsTable } from './events-table.tsx';
import { figuresOf, flattened, loadJobResults, spanOf } from './job-results.ts';
import type { Figures, JobResults } from './job-results.ts';
import { SoundCache } from './sound.ts';
import { lanesByClock, timeLineModel } from './time-line-model.ts';
import type { Span } from './time-line-model.ts';
import { TimeLine, zoneOfChoice } from './time-line.tsx';
import type { AxisChoice } from './time-line.tsx';
import './results.css';

const words = texts.results;

/** More recordings than these are decided again only on request. */
const MOST_DECIDED_AT_ONCE = 40;

/** Colours of classes; results.css has them for light and dark. */
const COLOURS = Array.from({ length: 6 }, (_, index) => `var(--class-${index})`);

export function ResultsScreen({ client, execution }: { client: Anemonefish; execution: Execution }) {
  const [results, setResults] = useState<JobResults | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [progress, setProgress] = useState<[number, number] | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setError(null);
    setResults(null);
    loadJobResults(client, execution, controller.signal, (done, total) => setProgress([done, total])).then(
      (loaded) => !controller.signal.aborted && setResults(loaded),
      (problem) => !controller.signal.aborted && !isAbort(problem) && setError(problem),
    );
    return () => controller.abort();
  }, [client, execution.id, attempt]);
  return (
    <Screen title={words.title} wide>
      {error ? (
        <ErrorNotice error={error} retry={() => setAttempt(attempt + 1)} />
      ) : results ? (
        <Loaded client={client} execution={execution} results={results} />
      ) : (
        <Busy text={progress ? words.loadingRecordings(...progress) : words.loading} />
      )}
    </Screen>
  );
}

function Loaded({ client, execution, results }: { client: Anemonefish; execution: Execution; results: JobResults }) {
  const { recordings, names } = results;
  const [scope, setScope] = useState<number | null>(recordings.length === 1 ? 0 : null);
  const decision = useDecision(client, execution.id, results, scope);
  const { table } = decision.shown;
  const dated = useMemo(() => recordings.some(({ startUtc }) => startUtc !== null), [recordings]);
  const [axis, setAxis] = useState<AxisChoice>(dated ? (results.localZone ? 'local' : 'utc') : 'offset');
  const zone = zoneOfChoice(axis, results.localZone);
  const [filter, setFilter] = useState<EventFilter>(NO_FILTER);
  const [sort, setSort] = useState<Sort>({ column: 'time', descending: false });
  const [open, setOpen] = useState<{ key: EventKey } | null>(null);
  const wantsFocus = useRef(false);
  const screen = useRef<HTMLDivElement>(null);

  const filtered = useMemo(
    () => filterEvents(table, { ...filter, recording: scope }, names),
    [table, filter, scope, names],
  );
  const sorted = useMemo(() => sortEvents(table, filtered, sort, names), [table, filtered, sort, names]);
  // Another decision has other positions, so an open event is found again by its samples.
  const selected = useMemo(() => (open ? positionOf(table, open.key) : null), [table, open]);
  const place = selected === null ? -1 : sorted.indexOf(selected);
  const timeOf = useMemo(
    () => (position: number) => (zone ? table.utc[position] : 1000 * table.start[position]),
    [table, zone === null],
  );
  const model = useMemo(() => {
    const shown = recordings.filter(({ recording }) => scope === null || recording === scope);
    const spans = shown
      .map((each) => (zone ? each.startUtc !== null && spanOf(each, each.startUtc) : spanOf(each, 0)))
      .filter((span): span is Span => Boolean(span));
    return timeLineModel(zone ? lanesByClock(spans) : spans.map((span) => [span]), table, filtered, timeOf);
  }, [recordings, scope, zone === null, table, filtered, timeOf]);

  const cache = useMemo(() => new SoundCache(client, execution.id), [client, execution.id]);
  useEffect(() => () => cache.close(), [cache]);
  // An object of its own for each opening, so that the panel takes the focus also when the same event is opened again.
  const openPosition = (position: number, takesFocus = true) => {
    wantsFocus.current = takesFocus;
    setOpen({ key: keyOf(table, position) });
  };
  const openAt = (row: number, takesFocus = true) => {
    if (row >= 0 && row < sorted.length) openPosition(sorted[row], takesFocus);
  };
  const close = () => {
    setOpen(null);
    screen.current?.querySelector<HTMLElement>('[role=grid]')?.focus({ preventScroll: true });
  };
  const startText = ({ utc, start }: Event) =>
    zone ? (utc === null ? '' : formatTimeInZone(utc, zone)) : formatSeconds(start);
  const withoutClock = recordings.filter(({ startUtc, seconds }) => startUtc === null && seconds !== null).length;
  const figures = figuresOf(results, table, scope, decision.shown.decided === null);
  const step = (by: -1 | 1, takesFocus?: boolean) => openAt(place < 0 ? 0 : place + by, takesFocus);

  return (
    <div ref={screen} class="results">
      <Origin execution={execution} results={results} />
      <Summary figures={figures} results={results} />
      <Notes results={results} />
      {recordings.length > 1 && (
        <label class="field scope">
          <span>{words.scope.label}</span>
          <select
            value={scope ?? 'all'}
            onChange={({ currentTarget: { value } }) => setScope(value === 'all' ? null : Number(value))}
          >
            <option value="all">{words.scope.all(recordings.length)}</option>
            {recordings.map(({ recording, name, status }) => (
              <option key={recording} value={recording}>
                {status === 'failed' ? words.scope.failed(name) : name}
              </option>
            ))}
          </select>
        </label>
      )}
      {results.settings ? (
        <DecisionPanel
          settings={decision.settings as DecisionSettings}
          classes={results.targetClasses}
          state={decision.state}
          shown={filterEvents(table, { ...NO_FILTER, recording: scope }, names).length}
          own={filterEvents(results.table, { ...NO_FILTER, recording: scope }, names).length}
          waiting={decision.waiting}
          onChange={decision.change}
          onDecideAll={decision.decideAll}
          onReset={decision.reset}
        />
      ) : (
        results.decisionProblem !== null && (
          <Notice tone="info" title={words.decide.impossible}>
            {(results.decisionProblem as Error).message}
          </Notice>
        )
      )}
      <section class="panel" aria-labelledby="time-line-heading">
        <div class="panel-head">
          <h2 id="time-line-heading">{words.timeLine.heading}</h2>
          {dated && (
            <label class="field inline">
              <span>{words.timeLine.axis}</span>
              <select value={axis} onChange={(event) => setAxis(event.currentTarget.value as AxisChoice)}>
                {results.localZone && <option value="local">{words.timeLine.local(results.localZone.name)}</option>}
                <option value="utc">{words.timeLine.utc}</option>
                <option value="offset">{words.timeLine.offset}</option>
              </select>
            </label>
          )}
        </div>
        {model.lanes.length ? (
          <TimeLine
            model={model}
            table={table}
            zone={zone}
            names={names}
            selected={selected}
            timeOf={timeOf}
            onOpen={openPosition}
            onStep={(by) => step(by, false)} // its keys go on from event to event
            colours={COLOURS}
          />
        ) : (
          <p>{words.timeLine.nothing}</p>
        )}
        {!dated && <p class="small muted">{words.timeLine.noClock}</p>}
        {dated && zone && withoutClock > 0 && <p class="small">{words.timeLine.someWithoutClock(withoutClock)}</p>}
      </section>
      <div class={selected === null ? 'results-columns' : 'results-columns with-event'}>
        <section class="panel" aria-labelledby="table-heading">
          <div class="panel-head">
            <h2 id="table-heading">{words.table.heading}</h2>
            <span class="small" role="status">
              {words.table.count(sorted.length, table.length)}
            </span>
          </div>
          <Filters table={table} filter={filter} several={recordings.length > 1} onChange={setFilter} />
          {sorted.length ? (
            <EventsTable
              table={table}
              positions={sorted}
              names={names}
              sort={sort}
              onSort={setSort}
              selected={selected}
              onOpen={(row) => openAt(row)}
              startHeading={headingOf(zone?.name ?? null)}
              startText={startText}
              show={{
                recording: recordings.length > 1,
                class: table.classes.length > 1,
                probability: results.calibration !== null,
              }}
              colours={COLOURS}
            />
          ) : (
            <p class="empty">{table.length ? words.table.noneShown : words.table.none}</p>
          )}
          <p class="small muted">{words.table.scoreNote}</p>
        </section>
        {selected !== null && (
          <EventView
            cache={cache}
            event={eventAt(table, selected)}
            following={place >= 0 && place + 1 < sorted.length ? eventAt(table, sorted[place + 1]) : null}
            name={names[table.recording[selected]]}
            when={whenText(eventAt(table, selected), startText, zone?.name ?? null)}
            lengthOf={(recording) => recordings[recording]?.seconds ?? null}
            number={Math.max(0, place) + 1}
            total={Math.max(1, sorted.length)}
            onMove={(by) => step(by)}
            onClose={close}
            wantsFocus={wantsFocus}
          />
        )}
      </div>
      <Downloads
        client={client}
        execution={execution}
        recordings={recordings}
        files={results.files}
        decided={decision.shown.decided}
        recording={scope}
      />
    </div>
  );
}

/** The decision of the sliders, and the events that are shown. */
function useDecision(client: Anemonefish, execution: string, results: JobResults, scope: number | null) {
  const [state, setState] = useState<DecisionState>({ kind: 'own' });
  const [settings, setSettings] = useState<DecisionSettings | null>(results.settings);
  const [waiting, setWaiting] = useState<number | null>(null);
  const [shown, setShown] = useState<Shown>({ table: results.table, decided: null });
  const decider = useMemo(
    () =>
      new Decider({
        decide: async (changes, recording, signal) => {
          const answer = await client.decide(execution, { ...changes }, { recording, signal });
          return { decision: answer.decision as string, events: answer.events as unknown as EventFields[] };
        },
        onState: (next) => {
          const all = results.recordings.map(({ recording }) => recording);
          setState(next);
          setShown((before) =>
            shownAfter(before, next, results.table, ({ events }) => tableOfEvents(flattened(all, events), results.targetClasses)),
          );
        },
      }),
    [client, execution, results],
  );
  useEffect(() => () => decider.close(), [decider]);
  const recordings = results.recordings.filter(({ status }) => status !== 'failed').map(({ recording }) => recording);
  const request = (next: DecisionSettings, all: boolean) => {
    const asked = scope === null ? recordings : recordings.filter((recording) => recording === scope);
    const many = asked.length > MOST_DECIDED_AT_ONCE && !all;
    setWaiting(many ? asked.length : null);
    if (results.settings && settingsKey(next) === settingsKey(results.settings)) {
      setWaiting(null);
      decider.reset();
    } else if (many) decider.reset();
    else decider.request(next, asked);
  };
  const first = useRef(true);
  // Before anything is drawn: a decision on other recordings would show none of the events of these.
  useLayoutEffect(() => {
    if (!first.current && settings) {
      decider.reset();
      request(settings, false);
    }
    first.current = false;
  }, [scope]);
  return {
    state,
    settings,
    shown,
    waiting,
    change: (next: DecisionSettings) => {
      setSettings(next);
      request(next, false);
    },
    decideAll: () => settings && request(settings, true),
    reset: () => {
      setSettings(results.settings);
      setWaiting(null);
      decider.reset();
    },
  };
}

/** What an event is in every decision: its recording, its first sample and its class. */
interface EventKey {
  recording: number;
  startSample: number;
  label: string;
}

const keyOf = (table: EventTable, position: number): EventKey => ({
  recording: table.recording[position],
  startSample: table.startSample[position],
  label: table.classes[table.label[position]],
});

function positionOf(table: EventTable, { recording, startSample, label }: EventKey): number | null {
  const wanted = table.classes.indexOf(label);
  for (let position = 0; position < table.length; position += 1) {
    const same = table.startSample[position] === startSample && table.recording[position] === recording;
    if (same && table.label[position] === wanted) return position;
  }
  return null;
}

function headingOf(zone: string | null): string {
  if (zone === null) return words.table.start;
  return zone === 'UTC' ? words.table.startUtc : words.table.startLocal(zone);
}

const whenText = (event: Event, startText: (event: Event) => string, zone: string | null) =>
  [startText(event) || formatSeconds(event.start), zone].filter(Boolean).join(' ');

/** Model, settings and the line of the model's card: they belong to the results wherever these go. */
function Origin({ execution, results }: { execution: Execution; results: JobResults }) {
  const { model, settings } = execution;
  const given = Object.entries(settings).map(([name, value]) => `${name} = ${valueText(value)}`);
  return (
    <>
      <p class="origin">
        {words.execution(formatMoment(execution.created_at))}
        {' · '}
        {words.model(`${model.name}@${model.version}${model.variant ? `+${model.variant}` : ''}`)}
        {' · '}
        {words.settingsUsed(given.length ? given.join('; ') : words.noSettings)}
        {' · '}
        <a href={links.review(execution.id)}>{words.reviewLink}</a>
      </p>
      {results.modelCard && <Card line={results.modelCard} />}
      {results.calibration && (
        <p class="small">{words.calibrated(results.calibration.verdicts, results.calibration.site)}</p>
      )}
    </>
  );
}

/** Return the value of a setting as `--set` takes it: `anemonefish:0.5,*:0.6`. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  if (value === null || typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name}: ${each}`)
    .join(', ');
}

function Card({ line }: { line: string }) {
  const [, stated = '', why = ''] = /^fit for science: (\w+(?: stated)?)(?: \((.*)\))?$/.exec(line) ?? [];
  if (stated === 'yes') {
    return (
      <Notice tone="info" title={words.fit}>
        {why}
      </Notice>
    );
  }
  return (
    <Notice tone="warning" title={stated === 'no' ? words.unfit : words.notStated}>
      {why ? `${capital(why)}. ` : ''}
      {words.unfitText}
    </Notice>
  );
}

function Summary({ figures, results }: { figures: Figures; results: JobResults }) {
  const labels = words.figures;
  const number = (value: number | null, digits: number) => (value === null ? labels.none : value.toFixed(digits));
  const total = figures.analysed + figures.partial + figures.failed;
  const recorded = results.effort?.recordedHours;
  const rate = figures.eventsPerHour;
  const items: [string, string, string][] = [
    [labels.recordings, count(total), labels.recordingsNote(figures.analysed, figures.partial, figures.failed)],
    [
      labels.hours,
      number(figures.analysedHours, hourDigits(figures.analysedHours)),
      total === results.recordings.length && recorded != null ? labels.hoursNote(recorded.toFixed(hourDigits(recorded))) : '',
    ],
    [labels.events, count(figures.events), labels.eventsNote],
    [labels.calls, figures.calls === null ? labels.none : count(figures.calls), figures.calls === null ? labels.callsUnknown : labels.callsNote],
    [
      labels.rate,
      number(rate, rate !== null && rate < 100 ? 1 : 0),
      figures.interval ? labels.rateInterval(...(figures.interval.map((edge) => edge.toFixed(edge < 100 ? 1 : 0)) as [string, string])) : labels.rateNote,
    ],
  ];
  return (
    <dl class="result-figures" aria-label={labels.heading}>
      {items.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong>
            {note && <span class="small muted">{note}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const count = (value: number) => value.toLocaleString('en');
const hourDigits = (hours: number | null) => (hours === null || hours >= 100 ? 0 : hours >= 10 ? 1 : hours >= 0.1 ? 2 : 4);

function Notes({ results }: { results: JobResults }) {
  const noted = results.recordings.filter(({ error, notes }) => error || notes.length);
  const count = noted.reduce((sum, { error, notes }) => sum + notes.length + (error ? 1 : 0), 0);
  if (!count) return null;
  const unopened = results.recordings.filter(({ seconds }) => seconds === null).length;
  return (
    <details class="notes" open={noted.some(({ error, status }) => error || status === 'partial') && count <= 5}>
      <summary>{words.notes.heading(count)}</summary>
      <ul>
        {noted.map(({ recording, name, error, notes }) => (
          <li key={recording}>
            <strong class="name">{name}</strong>
            {error && (
              <p>
                <span class="tag failed">{words.notes.failed}</span> {withoutName(error.message, name)}
              </p>
            )}
            {notes.map(({ code, message }) => (
              <p key={`${code}${message}`}>
                <span class="tag">{code}</span> {message}
              </p>
            ))}
          </li>
        ))}
      </ul>
      {unopened > 0 && <p class="small muted">{words.notes.notOnLine(unopened)}</p>}
    </details>
  );
}

function Filters({
  table,
  filter,
  several,
  onChange,
}: {
  table: EventTable;
  filter: EventFilter;
  several: boolean;
  onChange: (filter: EventFilter) => void;
}) {
  const active = filter.text !== '' || filter.minScore > 0 || filter.classes !== null;
  return (
    <div class="filters">
      {several && (
        <label class="field">
          <span>{words.table.filterName}</span>
          <input type="search" value={filter.text} onInput={(event) => onChange({ ...filter, text: event.currentTarget.value })} />
        </label>
      )}
      {table.classes.length > 1 && (
        <label class="field">
          <span>{words.table.filterClass}</span>
          <select
            value={filter.classes ? [...filter.classes][0] : ''}
            onChange={({ currentTarget: { value } }) => onChange({ ...filter, classes: value ? new Set([value]) : null })}
          >
            <option value="">{words.table.allClasses}</option>
            {table.classes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <label class="field">
        <span>{words.table.filterScore}</span>
        <input
          type="number"
          min="0"
          max="1"
          step="0.05"
          value={filter.minScore || ''}
          onInput={(event) => onChange({ ...filter, minScore: Number(event.currentTarget.value) || 0 })}
        />
      </label>
      {active && (
        <button type="button" onClick={() => onChange(NO_FILTER)}>
          {words.table.clear}
        </button>
      )}
    </div>
  );
}
