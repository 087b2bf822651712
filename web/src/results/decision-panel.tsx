/** Sliders that decide again: threshold, smoothing, shortest event and shortest gap. */
import { explain } from '../errors.ts';
import { texts } from '../texts.ts';
import { Notice } from '../ui.tsx';
import type { DecisionSettings, DecisionState } from './decisions.ts';

const words = texts.results.decide;

interface Props {
  /** The settings of the sliders. */
  settings: DecisionSettings;
  classes: readonly string[];
  state: DecisionState;
  /** Events that are shown, and those of the execution. */
  shown: number;
  own: number;
  /** Number of recordings that wait for a button, because they are many; null if none do. */
  waiting: number | null;
  onChange: (settings: DecisionSettings) => void;
  onDecideAll: () => void;
  onReset: () => void;
}

export function DecisionPanel({ settings, classes, state, shown, own, waiting, onChange, onDecideAll, onReset }: Props) {
  const thresholdOf = (name: string) => thresholdFor(settings.threshold, name);
  const setThreshold = (name: string, value: number) => {
    const single = typeof settings.threshold === 'number' && classes.length === 1;
    const all = Object.fromEntries(classes.map((each) => [each, thresholdOf(each)]));
    onChange({ ...settings, threshold: single ? value : { ...all, [name]: value } });
  };
  return (
    <section class="panel" aria-labelledby="decide-heading">
      <div class="panel-head">
        <h2 id="decide-heading">{words.heading}</h2>
        <button type="button" disabled={state.kind === 'own' && waiting === null} onClick={onReset}>
          {words.reset}
        </button>
      </div>
      <div class="sliders">
        {classes.map((name) => (
          <Slider
            key={name}
            label={classes.length > 1 ? words.thresholdOf(name) : words.threshold}
            value={thresholdOf(name)}
            text={thresholdOf(name).toFixed(2)}
            min={0}
            max={0.99}
            step={0.01}
            onChange={(value) => setThreshold(name, value)}
          />
        ))}
        <Slider
          label={words.median}
          value={settings.median_windows}
          text={words.medianValue(settings.median_windows)}
          min={1}
          max={Math.max(31, settings.median_windows)}
          step={2}
          onChange={(median_windows) => onChange({ ...settings, median_windows })}
        />
        <Slider
          label={words.minDuration}
          value={settings.min_duration_seconds}
          text={words.seconds(settings.min_duration_seconds.toFixed(1))}
          min={0}
          max={Math.max(5, settings.min_duration_seconds)}
          step={0.1}
          onChange={(min_duration_seconds) => onChange({ ...settings, min_duration_seconds })}
        />
        <Slider
          label={words.minGap}
          value={settings.min_gap_seconds}
          text={words.seconds(settings.min_gap_seconds.toFixed(1))}
          min={0}
          max={Math.max(5, settings.min_gap_seconds)}
          step={0.1}
          onChange={(min_gap_seconds) => onChange({ ...settings, min_gap_seconds })}
        />
      </div>
      <p class="decide-state small" role="status">
        {waiting !== null
          ? words.manyText(waiting)
          : state.kind === 'deciding'
            ? words.deciding(state.done, state.total)
            : state.kind === 'decided'
              ? words.decided(shown, own)
              : words.own}{' '}
        <span class="muted">{words.help}</span>
      </p>
      {waiting !== null && (
        <button type="button" class="primary" onClick={onDecideAll}>
          {words.many(waiting)}
        </button>
      )}
      {state.kind === 'failed' && (
        <Notice tone="error" title={words.failed}>
          {explain(state.error).text}
        </Notice>
      )}
    </section>
  );
}

/** Return the threshold of a class; `*` stands for every class that has none of its own. */
function thresholdFor(threshold: DecisionSettings['threshold'], name: string): number {
  return typeof threshold === 'number' ? threshold : (threshold[name] ?? threshold['*'] ?? 0.5);
}

function Slider({
  label,
  text,
  onChange,
  ...range
}: {
  label: string;
  value: number;
  text: string;
  min: number;
  max: number;
  step: number;
  onChange: (value: number) => void;
}) {
  return (
    <label class="slider">
      <span>{label}</span>
      {/* Not an output: that would be what the label names, and the slider would have no name. */}
      <strong aria-hidden="true">{text}</strong>
      <input type="range" {...range} aria-valuetext={text} onInput={(event) => onChange(Number(event.currentTarget.value))} />
    </label>
  );
}
