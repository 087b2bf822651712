/** One event: its spectrogram, its sound, its figures, and the way to its neighbours. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { explain } from '../errors.ts';
import { texts } from '../texts.ts';
import { Busy, Notice } from '../ui.tsx';
import { eventKey } from './event-keys.ts';
import type { EventView as Event } from './event-table.ts';
import { usePlayer } from './player.ts';
import { nextZoom, SoundControls, useSoundSettings } from './sound-controls.tsx';
import { isGone, stretchAround } from './sound.ts';
import type { SoundCache } from './sound.ts';
import { Spectrogram } from './spectrogram.tsx';
import { useSound } from './use-sound.ts';
import type { SoundPlace } from './use-sound.ts';

/** Seconds that are shown before and after an event. */
const MARGIN = 1.5;

interface Props {
  cache: SoundCache;
  event: Event;
  /** The event that follows, for loading it beforehand. */
  following: Event | null;
  name: string;
  /** Start of the event as the table shows it. */
  when: string;
  lengthOf: (recording: number) => number | null;
  number: number;
  total: number;
  onMove: (step: -1 | 1) => void;
  onClose: () => void;
  /** Set when an event was opened: the panel then takes the keyboard's focus, once. */
  wantsFocus: { current: boolean };
}

export function EventView({ cache, event, following, name, when, lengthOf, number, total, onMove, onClose, wantsFocus }: Props) {
  const words = texts.results.event;
  const section = useRef<HTMLElement>(null);
  const { player, playing } = usePlayer();
  const [settings, change] = useSoundSettings(player);
  const [unplayable, setUnplayable] = useState(false);
  const placeOf = (each: Event): SoundPlace => ({
    recording: each.recording,
    stretch: stretchAround(each.start, each.stop, MARGIN, lengthOf(each.recording)),
  });
  const state = useSound(cache, player, placeOf(event), following && placeOf(following));
  useEffect(() => {
    if (wantsFocus.current) section.current?.focus({ preventScroll: true });
    wantsFocus.current = false;
  });
  // On a narrow screen the event opens above the table, where it may not be visible.
  useEffect(() => section.current?.scrollIntoView({ block: 'nearest' }), []);
  useEffect(() => setUnplayable(false), [event]);
  const play = () => player.toggle().catch(() => setUnplayable(true));
  const onKey = (pressed: KeyboardEvent) => {
    if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
    const name = eventKey(pressed.key, pressed.target instanceof HTMLElement ? pressed.target.localName : '');
    const actions = {
      previous: () => onMove(-1),
      next: () => onMove(1),
      play,
      zoom: () => change({ zoom: nextZoom(settings.zoom) }),
      close: onClose,
    };
    if (!name) return;
    pressed.preventDefault();
    void actions[name]();
  };
  return (
    <section ref={section} class="event-view" aria-labelledby="event-heading" tabIndex={-1} onKeyDown={onKey}>
      <div class="event-head">
        <h2 id="event-heading" aria-live="polite">
          {words.heading(number, total)}
        </h2>
        <div class="button-row">
          <button type="button" disabled={number === 1} aria-label={words.previous} onClick={() => onMove(-1)}>
            ←
          </button>
          <button type="button" disabled={number === total} aria-label={words.next} onClick={() => onMove(1)}>
            →
          </button>
          <button type="button" aria-label={words.close} onClick={onClose}>
            ✕
          </button>
        </div>
      </div>
      <p class="event-name">{words.details(name, when)}</p>
      {state.kind === 'loading' && (
        <div class="sound-place">
          <Busy text={texts.results.sound.loading} />
        </div>
      )}
      {state.kind === 'failed' && <SoundProblem error={state.error} />}
      {state.kind === 'ready' && (
        <>
          <Spectrogram sound={state.sound} player={player} frame={[event.start, event.stop]} zoom={settings.zoom} />
          <SoundControls player={player} playing={playing} settings={settings} onChange={change} onError={() => setUnplayable(true)} />
          {unplayable && <Notice tone="error" title={texts.results.sound.noSound} />}
        </>
      )}
      <EventFigures event={event} />
      <p class="small muted">{texts.results.sound.keys}</p>
    </section>
  );
}

/** Why a sound is not shown. */
export function SoundProblem({ error }: { error: unknown }) {
  const { title, text } = explain(error);
  return isGone(error) ? (
    <Notice tone="warning" title={texts.results.sound.gone}>
      {texts.results.sound.goneText}
    </Notice>
  ) : (
    <Notice tone="error" title={title}>
      {text}
    </Notice>
  );
}

function EventFigures({ event }: { event: Event }) {
  const { table, event: words } = texts.results;
  const figures: [string, string | null][] = [
    [table.class, event.label],
    [table.duration, `${(event.stop - event.start).toFixed(2)} ${table.units.duration}`],
    [words.highest, event.maxScore.toFixed(3)],
    [words.mean, event.meanScore.toFixed(3)],
    [table.probability, event.probability?.toFixed(2) ?? null],
    [table.calls, event.calls?.toString() ?? null],
    [table.level, event.level === null ? null : `${event.level.toFixed(1)} ${table.units.level}`],
    [table.snr, event.snr === null ? null : `${event.snr.toFixed(1)} ${table.units.snr}`],
    [table.peak, event.peak === null ? null : `${event.peak.toFixed(0)} ${table.units.peak}`],
  ];
  return (
    <dl class="event-figures">
      {figures.map(
        ([name, value]) =>
          value !== null && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
