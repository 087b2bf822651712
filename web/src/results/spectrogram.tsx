/** A spectrogram with its axes, the frame of an event, a mark, and a cursor that follows the sound. */
import { useEffect, useRef } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { Player } from './player.ts';
import type { Picture, Sound } from './sound.ts';

type Interval = readonly [start: number, stop: number];

interface Props {
  sound: Sound;
  player: Player;
  /** The event or the stretch to judge, in seconds of the recording. */
  frame: Interval;
  /** Where a reviewer marked a call. */
  mark?: Interval | null;
  /** 1 shows the whole band, 2 its lower half, and so on. */
  zoom: number;
  /** Called with a stretch that was drawn with the pointer; a click moves the player. */
  onMark?: (mark: Interval) => void;
}

export function Spectrogram({ sound, player, frame, mark = null, zoom, onMark }: Props) {
  const { picture } = sound;
  const cursor = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const drawn = useRef<HTMLDivElement>(null);
  const low = Math.max(0, picture.lowHz);
  const high = picture.lowHz + (picture.highHz - picture.lowHz) / zoom;
  useEffect(() => {
    let frameId = requestAnimationFrame(function follow() {
      const at = shareOf(picture, sound.begins + player.time);
      if (cursor.current) cursor.current.style.transform = `translateX(${at * (area.current?.clientWidth ?? 0)}px)`;
      frameId = requestAnimationFrame(follow);
    });
    return () => cancelAnimationFrame(frameId);
  }, [picture, sound, player]);
  const begin = useRef<number | null>(null);
  const timeAt = (event: PointerEvent) => {
    const box = (area.current as HTMLDivElement).getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return picture.begins + share * (picture.ends - picture.begins);
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    begin.current = timeAt(event);
    area.current?.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    if (begin.current === null || !onMark || !drawn.current) return;
    const [start, stop] = ordered(begin.current, timeAt(event));
    drawn.current.hidden = stop - start < SHORTEST_MARK;
    place(drawn.current, picture, [start, stop]);
  };
  const up = (event: PointerEvent) => {
    if (begin.current === null) return;
    const [start, stop] = ordered(begin.current, timeAt(event));
    begin.current = null;
    if (drawn.current) drawn.current.hidden = true;
    if (onMark && stop - start >= SHORTEST_MARK) onMark([start, stop]);
    else player.seek(start - sound.begins);
  };
  const cancel = () => {
    begin.current = null;
    if (drawn.current) drawn.current.hidden = true;
  };
  return (
    <figure class="spectrogram">
      <div class="spectrogram-frequencies" aria-hidden="true">
        {axisTicks(low, high, 4).map(({ value, text }) => (
          <span key={text} style={{ bottom: `${((value - picture.lowHz) / (high - picture.lowHz)) * 100}%` }}>
            {text}
          </span>
        ))}
      </div>
      <div
        ref={area}
        class={onMark ? 'spectrogram-area marking' : 'spectrogram-area'}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={cancel}
      >
        <img
          src={picture.url}
          alt={`${texts.results.sound.picture(two(picture.begins), two(picture.ends), low.toFixed(0), high.toFixed(0))} ${texts.results.sound.frame(two(frame[0]), two(frame[1]))}`}
          draggable={false}
          style={{ height: `${zoom * 100}%` }}
        />
        <Box class="spectrogram-box" picture={picture} interval={frame} />
        {mark && <Box class="spectrogram-mark" picture={picture} interval={mark} />}
        <div ref={drawn} class="spectrogram-mark" hidden />
        <div ref={cursor} class="spectrogram-cursor" />
      </div>
      <div class="spectrogram-times" aria-hidden="true">
        {axisTicks(picture.begins, picture.ends, 5).map(({ value, text }) => (
          <span key={text} style={{ left: `${shareOf(picture, value) * 100}%` }}>
            {text}
          </span>
        ))}
      </div>
      <figcaption class="small">
        {texts.results.sound.time} · {texts.results.sound.frequency}
      </figcaption>
    </figure>
  );
}

/** Shortest mark, in seconds: less is a click. */
const SHORTEST_MARK = 0.02;

function Box({ picture, interval, ...rest }: { class: string; picture: Picture; interval: Interval }) {
  const start = shareOf(picture, interval[0]);
  return <div {...rest} style={{ left: `${start * 100}%`, width: `${(shareOf(picture, interval[1]) - start) * 100}%` }} />;
}

function place(element: HTMLElement, picture: Picture, [start, stop]: Interval): void {
  element.style.left = `${shareOf(picture, start) * 100}%`;
  element.style.width = `${(shareOf(picture, stop) - shareOf(picture, start)) * 100}%`;
}

const shareOf = (picture: Picture, seconds: number) => (seconds - picture.begins) / (picture.ends - picture.begins);
const ordered = (one: number, other: number): [number, number] => (one < other ? [one, other] : [other, one]);
const two = (seconds: number) => seconds.toFixed(2);

/** Return round numbers between two values. */
function axisTicks(low: number, high: number, wanted: number): { value: number; text: string }[] {
  const rough = (high - low) / wanted;
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) as number;
  const first = Math.ceil(low / step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => {
    const value = (first + index) * step;
    return { value, text: value.toFixed(decimals) };
  });
}
