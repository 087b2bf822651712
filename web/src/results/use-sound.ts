/** Loads the sound of a stretch for a screen, and those of its neighbours beforehand. */
import { useEffect, useState } from 'preact/hooks';
import type { Player } from './player.ts';
import type { Sound, SoundCache } from './sound.ts';

export type SoundState = { kind: 'loading' } | { kind: 'ready'; sound: Sound } | { kind: 'failed'; error: unknown };

export interface SoundPlace {
  recording: number;
  stretch: [start: number, stop: number];
}

/**
 * @param next the stretch that is probably shown next
 */
export function useSound(cache: SoundCache, player: Player, place: SoundPlace | null, next: SoundPlace | null): SoundState {
  const [state, setState] = useState<SoundState>({ kind: 'loading' });
  const key = place && `${place.recording}/${place.stretch}`;
  useEffect(() => {
    let current = true;
    player.source = null;
    setState({ kind: 'loading' });
    if (!place) return;
    // Whoever holds an arrow key passes many events; only one that stays is loaded.
    const timer = setTimeout(() => {
      cache.load(place.recording, place.stretch).then(
        (sound) => {
          if (!current) return;
          player.source = sound.url;
          setState({ kind: 'ready', sound });
          if (next) cache.load(next.recording, next.stretch).catch(() => {}); // it is said when it is shown
        },
        (error) => current && setState({ kind: 'failed', error }),
      );
    }, 80);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [cache, player, key]);
  return state;
}
