/** Parts of every screen. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { explain } from './errors.ts';
import { texts } from './texts.ts';

const announced = signal('');

/** Say a sentence to users of a screen reader. */
export function announce(sentence: string): void {
  announced.value = sentence;
}

/** The live region of {@link announce}; it is mounted once. */
export function LiveRegion() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {announced}
    </div>
  );
}

/** A screen with its heading. The heading gets the focus when the screen opens, so a screen reader reads it. */
export function Screen({ title, wide = false, children }: { title: string; wide?: boolean; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${texts.app.name}`;
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [title]);
  return (
    <main id="content" class={wide ? 'screen wide' : 'screen'}>
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
      <p>{text}</p>
      {requestId && <p class="small">{texts.errors.request(requestId)}</p>}
      {retry && (
        <button type="button" onClick={retry}>
          {texts.errors.retry}
        </button>
      )}
    </Notice>
  );
}

/** A sentence while something is awaited. */
export function Busy({ text = texts.app.loading }: { text?: string }) {
  return (
    <p class="busy" aria-busy="true">
      {text}
    </p>
  );
}
