/** Asks for the API key and checks it, or leads to the hosted login. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isSignedOut } from './errors.ts';
import { config, goToLogin, signInWithKey } from './session.ts';
import { texts } from './texts.ts';
import { ErrorNotice, Notice, Screen } from './ui.tsx';

export function SignInScreen({ loginError }: { loginError: unknown }) {
  return (
    <Screen title={texts.signIn.title} narrow>
      <p class="lead">{texts.signIn.lead}</p>
      {config.value?.signIn === 'cognito' ? <HostedLogin error={loginError} /> : <KeyForm />}
    </Screen>
  );
}

function KeyForm() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current!.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signInWithKey(input.current!.value.trim());
    } catch (reason) {
      setError(reason);
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <form class="card stack" onSubmit={submit}>
      <div class="field">
        <label for="key">{texts.signIn.key}</label>
        <input
          ref={input}
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          aria-describedby="key-help"
          aria-invalid={error !== null}
        />
        <p class="help" id="key-help">
          {texts.signIn.keyHelp}
        </p>
      </div>
      {isSignedOut(error) ? (
        <Notice tone="error" title={texts.signIn.wrongKey}>
          <p>{texts.signIn.wrongKeyText}</p>
        </Notice>
      ) : (
        error !== null && <ErrorNotice error={error} />
      )}
      <button type="submit" class="primary" disabled={busy}>
        {busy ? texts.signIn.checking : texts.signIn.submit}
      </button>
    </form>
  );
}

function HostedLogin({ error }: { error: unknown }) {
  return (
    <div class="card stack">
      {error !== null && (
        <Notice tone="error" title={texts.signIn.loginFailed}>
          <p>{error instanceof Error ? error.message : String(error)}</p>
        </Notice>
      )}
      <p>{texts.signIn.hosted}</p>
      <button type="button" class="primary" onClick={() => void goToLogin()}>
        {texts.signIn.goToLogin}
      </button>
    </div>
  );
}
