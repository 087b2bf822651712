/** Plays a clip. Speed changes the pitch as well, as a slowed tape does; gain above 0 dB goes through Web Audio. */
import { useEffect, useMemo, useState } from 'preact/hooks';

export class Player {
  readonly audio = new Audio();
  #context: AudioContext | null = null;
  #gainNode: GainNode | null = null;
  #gain = 0;
  #rate = 1;

  constructor() {
    this.audio.preload = 'auto';
  }

  /** Seconds since the beginning of the clip. */
  get time(): number {
    return this.audio.currentTime;
  }

  set source(url: string | null) {
    this.audio.pause();
    if (url) this.audio.src = url;
    else this.audio.removeAttribute('src');
    this.#applyRate();
  }

  /** In dB. */
  set gain(decibel: number) {
    this.#gain = decibel;
    if (this.#gainNode) this.#gainNode.gain.value = 10 ** (decibel / 20);
    else if (decibel && !this.audio.paused) void this.#connect();
  }

  set rate(rate: number) {
    this.#rate = rate;
    this.#applyRate();
  }

  /** Play or pause. Rejects if the browser cannot play the clip. */
  async toggle(): Promise<void> {
    if (!this.audio.paused) return this.audio.pause();
    if (this.#gain || this.#context) await this.#connect();
    await this.audio.play();
  }

  /** Go to a time of the clip, in seconds. */
  seek(seconds: number): void {
    this.audio.currentTime = Math.min(Math.max(0, seconds), this.audio.duration || 0);
  }

  close(): void {
    this.source = null;
    void this.#context?.close();
  }

  #applyRate(): void {
    this.audio.preservesPitch = false;
    this.audio.defaultPlaybackRate = this.#rate;
    this.audio.playbackRate = this.#rate;
  }

  /** A browser lets a page make sound only after a key or a click, so this waits until something is played. */
  async #connect(): Promise<void> {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#gainNode = this.#context.createGain();
      this.#context.createMediaElementSource(this.audio).connect(this.#gainNode).connect(this.#context.destination);
      this.gain = this.#gain;
    }
    await this.#context.resume();
  }
}

/** A player of a screen, and whether it plays. */
export function usePlayer(): { player: Player; playing: boolean } {
  const player = useMemo(() => new Player(), []);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    const follow = () => setPlaying(!player.audio.paused);
    const names = ['play', 'pause', 'ended', 'emptied'];
    for (const name of names) player.audio.addEventListener(name, follow);
    return () => {
      for (const name of names) player.audio.removeEventListener(name, follow);
      player.close();
    };
  }, [player]);
  return { player, playing };
}
