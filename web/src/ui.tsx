/** Parts of every screen. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { explain, isSignedOut } from './errors.ts';
import { newlySaid } from './format.ts';
import { links } from './navigation.ts';
import { endSession } from './session.ts';
import { texts } from './texts.ts';

const announced = signal('');

/** Say a sentence to users of a screen reader. */
export function announce(sentence: string): void {
  announced.value = newlySaid(announced.peek(), sentence);
}

/** The live region of {@link announce}; it is mounted once. */
export function LiveRegion() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {announced}
    </div>
  );
}

interface ScreenProperties {
  title: string;
  /** Shown before the title in the browser's tab, for example the progress. */
  tab?: string;
  wide?: boolean;
  narrow?: boolean;
  children: ComponentChildren;
}

/**
 * A screen with its heading. The heading gets the focus when the screen opens, so a screen reader reads it,
 * unless a part of the screen has taken it.
 */
export function Screen({ title, tab = '', wide = false, narrow = false, children }: ScreenProperties) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const main = heading.current!.parentElement!;
    if (!main.contains(document.activeElement)) heading.current!.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [title]);
  useEffect(() => {
    document.title = [tab, title, texts.app.name].filter(Boolean).join(' · ');
  }, [tab, title]);
  return (
    <main id="content" class={`screen${wide ? ' wide' : ''}${narrow ? ' narrow' : ''}`}>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}

type Tone = 'error' | 'warning' | 'info' | 'success';

/** A message that stays on the screen. Errors are read at once by a screen reader. */
export function Notice({ tone, title, children }: { tone: Tone; title: string; children?: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role={tone === 'error' ? 'alert' : undefined}>
      <strong>{title}</strong>
      {children && <div class="notice-text">{children}</div>}
    </div>
  );
}

/** An error of the client, with what to do and, if it can be tried again, a button. */
export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => void }) {
  const { title, text, requestId } = explain(error);
  return (
    <Notice tone="error" title={title}>
      {text && <p>{text}</p>}
      {requestId && <p class="small">{texts.errors.request(requestId)}</p>}
      {isSignedOut(error) ? (
        <button type="button" onClick={endSession}>
          {texts.errors.signInAgain}
        </button>
      ) : (
        retry && (
          <button type="button" onClick={retry}>
            {texts.errors.retry}
          </button>
        )
      )}
    </Notice>
  );
}

/** What is shown instead of a list without entries: a sentence, and the way to the start. */
export function EmptyList({ text }: { text: string }) {
  return (
    <div class="card stack">
      <p>{text}</p>
      <p>
        <a class="button primary" href={links.start}>
          {texts.start.title}
        </a>
      </p>
    </div>
  );
}

/** After this time (ms) a user is told that the wait is unusual. */
const SLOW_MS = 6000;

/** A sentence while something is awaited. */
export function Busy({ text = texts.app.loading }: { text?: string }) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p class="busy" role="status">
      {text} {slow && texts.app.slow}
    </p>
  );
}

/** A bar of progress; without `max` it only says that something goes on. */
export function ProgressBar({ value, max, label }: { value: number; max: number | null; label: string }) {
  return max ? <progress value={value} max={max} aria-label={label} /> : <progress aria-label={label} />;
}

/** Load something when a screen opens, and again on request. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, dependencies: unknown[]) {
  const [state, setState] = useState<{ value: T | null; error: unknown; busy: boolean }>({
    value: null,
    error: null,
    busy: true,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setState((before) => ({ ...before, error: null, busy: true }));
    load(controller.signal).then(
      (value) => !controller.signal.aborted && setState({ value, error: null, busy: false }),
      (error) => !controller.signal.aborted && setState((before) => ({ ...before, error, busy: false })),
    );
    return () => controller.abort();
  }, [...dependencies, round]);
  return { ...state, reload: () => setRound((before) => before + 1) };
}
