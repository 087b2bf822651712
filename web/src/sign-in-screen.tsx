/** Asks for the API key and checks it. */
import { useState } from 'preact/hooks';
import { signInWithKey } from './session.ts';
import { texts } from './texts.ts';
import { ErrorNotice, Screen } from './ui.tsx';

export function SignInScreen() {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signInWithKey(key.trim());
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  return (
    <Screen title={texts.signIn.title}>
      <form class="card" onSubmit={submit}>
        <label class="field">
          <span>{texts.signIn.key}</span>
          <input
            type="password"
            autocomplete="off"
            required
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? texts.signIn.checking : texts.signIn.submit}
        </button>
      </form>
      {error !== null && <ErrorNotice error={error} />}
    </Screen>
  );
}
