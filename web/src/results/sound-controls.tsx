/** The controls of a clip: play, gain, speed, and the part of the band that is shown. */
import { useEffect, useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { Player } from './player.ts';

const words = texts.results.sound;
const RATES = [0.25, 0.5, 1, 2];
const ZOOMS = [1, 2, 4, 8];
const PLACE = 'anemonefish.sound';

export interface SoundSettings {
  gain: number;
  rate: number;
  zoom: number;
}

/** Settings of sounds: kept for the next event, and in this browser. */
export function useSoundSettings(player: Player): [SoundSettings, (change: Partial<SoundSettings>) => void] {
  const [settings, setSettings] = useState(readSettings);
  useEffect(() => {
    player.gain = settings.gain;
    player.rate = settings.rate;
  }, [player, settings]);
  const change = (part: Partial<SoundSettings>) => {
    const next = { ...settings, ...part };
    setSettings(next);
    try {
      localStorage.setItem(PLACE, JSON.stringify(next));
    } catch {
      // the settings last as long as the page
    }
  };
  return [settings, change];
}

/** Return the next magnification of the low frequencies: twice, four times, eight times, all. */
export const nextZoom = (zoom: number) => ZOOMS[(ZOOMS.indexOf(zoom) + 1) % ZOOMS.length];

export function SoundControls({
  player,
  playing,
  settings,
  onChange,
  onError,
}: {
  player: Player;
  playing: boolean;
  settings: SoundSettings;
  onChange: (change: Partial<SoundSettings>) => void;
  onError: () => void;
}) {
  return (
    <div class="sound-controls">
      <button type="button" class="primary" aria-keyshortcuts="Space" onClick={() => player.toggle().catch(onError)}>
        {playing ? words.pause : words.play}
      </button>
      <label>
        <span>{words.gain}</span>
        <input
          type="range"
          min="0"
          max="40"
          step="2"
          value={settings.gain}
          aria-valuetext={words.gainValue(settings.gain)}
          onInput={(event) => onChange({ gain: Number(event.currentTarget.value) })}
        />
        <output>{words.gainValue(settings.gain)}</output>
      </label>
      <label>
        <span>{words.speed}</span>
        <select value={settings.rate} onChange={(event) => onChange({ rate: Number(event.currentTarget.value) })}>
          {RATES.map((rate) => (
            <option key={rate} value={rate}>
              {words.speedValue(rate)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.zoom}</span>
        <select value={settings.zoom} onChange={(event) => onChange({ zoom: Number(event.currentTarget.value) })}>
          {ZOOMS.map((zoom) => (
            <option key={zoom} value={zoom}>
              {words.zoomValue(zoom)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function readSettings(): SoundSettings {
  const usual = { gain: 0, rate: 1, zoom: 1 };
  try {
    const { gain, rate, zoom } = { ...usual, ...JSON.parse(localStorage.getItem(PLACE) ?? '{}') };
    return {
      gain: gain >= 0 && gain <= 40 ? gain : usual.gain,
      rate: RATES.includes(rate) ? rate : usual.rate,
      zoom: ZOOMS.includes(zoom) ? zoom : usual.zoom,
    };
  } catch {
    return usual;
  }
}
