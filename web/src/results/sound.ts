/** The sound and the spectrogram of a stretch of a recording: fetched as blobs, kept for going back and forth. */
import { AnemonefishError } from '../client.ts';
import type { Anemonefish } from '../client.ts';
import { fetchLink } from './job-results.ts';

export interface Sound {
  /** Address of the FLAC in this page, and where it begins and ends in the recording, in seconds. */
  url: string;
  begins: number;
  ends: number;
  picture: Picture;
}

export interface Picture {
  url: string;
  begins: number;
  ends: number;
  lowHz: number;
  highHz: number;
}

/** Longest clip that the service makes, in seconds. */
const LONGEST = 60;

/** Return the stretch to show around an event: some time before and after it, and at most a minute. */
export function stretchAround(start: number, stop: number, margin: number, length: number | null): [start: number, stop: number] {
  const from = Math.max(0, start - margin);
  const to = Math.min(stop + margin, from + LONGEST, length ?? Infinity);
  return [round(from), round(Math.max(to, from + 0.01))];
}

const round = (seconds: number) => Math.round(1000 * seconds) / 1000;

/** Sounds of one execution; the latest are kept. */
export class SoundCache {
  #client: Anemonefish;
  #execution: string;
  #kept = new Map<string, Promise<Sound>>();
  #most: number;

  constructor(client: Anemonefish, execution: string, most = 12) {
    this.#client = client;
    this.#execution = execution;
    this.#most = most;
  }

  /** Load a stretch, given in seconds of the recording; a failed one is loaded again the next time. */
  load(recording: number, [start, stop]: [number, number]): Promise<Sound> {
    const key = `${recording}/${start}/${stop}`;
    const known = this.#kept.get(key);
    if (known) {
      this.#kept.delete(key); // it is the latest now
      this.#kept.set(key, known);
      return known;
    }
    const sound = this.#fetch(recording, start, stop);
    this.#kept.set(key, sound);
    sound.catch(() => this.#kept.delete(key));
    while (this.#kept.size > this.#most) this.#drop(this.#kept.keys().next().value as string);
    return sound;
  }

  /** Free the memory of all sounds. */
  close(): void {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  async #fetch(recording: number, start: number, stop: number): Promise<Sound> {
    const [clip, drawn] = await Promise.all([
      this.#client.clip(this.#execution, recording, start, stop),
      this.#client.spectrogram(this.#execution, recording, start, stop),
    ]);
    const [sound, picture] = await Promise.all([blobUrl(clip.url, 'audio/flac'), blobUrl(drawn.url, 'image/png')]);
    return {
      url: sound,
      begins: clip.start_sample / clip.sample_rate,
      ends: clip.stop_sample / clip.sample_rate,
      picture: {
        url: picture,
        begins: drawn.start_sample / drawn.sample_rate,
        ends: drawn.stop_sample / drawn.sample_rate,
        lowHz: drawn.low_hz,
        highHz: drawn.high_hz,
      },
    };
  }

  #drop(key: string): void {
    const sound = this.#kept.get(key);
    this.#kept.delete(key);
    sound?.then(
      ({ url, picture }) => {
        URL.revokeObjectURL(url);
        URL.revokeObjectURL(picture.url);
      },
      () => {}, // it was never loaded
    );
  }
}

async function blobUrl(link: string, type: string): Promise<string> {
  const bytes = await (await fetchLink(link)).arrayBuffer();
  return URL.createObjectURL(new Blob([bytes], { type }));
}

/** Whether an error means that the recording itself is gone, so that it cannot be heard any more. */
export function isGone(error: unknown): boolean {
  const names = ['RecordingNotFound', 'RecordingChanged', 'UploadExpired', 'UploadNotFound', 'NoSuchKey'];
  return error instanceof AnemonefishError && names.includes(error.error);
}
