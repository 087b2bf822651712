/** The shell: header, navigation, and the screen that the hash names. */
import { Component } from 'preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Anemonefish } from './client.ts';
import { loadConfig } from './config.ts';
import { ExecutionScreen } from './executions/execution-screen.tsx';
import { ExecutionsScreen } from './executions/executions-screen.tsx';
import { UploadsScreen } from './executions/uploads-screen.tsx';
import { explain } from './errors.ts';
import { followHash, links, route } from './navigation.ts';
import type { Route } from './navigation.ts';
import { followVerdicts, verdictQueues } from './review/queues-of-user.ts';
import { ReviewScreen } from './review/review-screen.tsx';
import { client, config, openSession, signOut } from './session.ts';
import { SignInScreen } from './sign-in-screen.tsx';
import { StartScreen } from './start/start-screen.tsx';
import { texts } from './texts.ts';
import { Busy, LiveRegion, Screen } from './ui.tsx';
import { followUploads } from './uploads/queue-of-user.ts';

/** The whole page. */
export function App() {
  const [configError, setConfigError] = useState<Error | null>(null);
  const [loginError, setLoginError] = useState<unknown>(null);
  useEffect(() => {
    followHash();
    followUploads();
    followVerdicts();
    loadConfig().then((loaded) => openSession(loaded).catch(setLoginError), setConfigError);
  }, []);
  return (
    <>
      <a class="skip" href="#content" onClick={skipToContent}>
        {texts.app.skip}
      </a>
      <Header />
      {configError ? (
        <Screen title={texts.app.configTitle} narrow>
          <p>{texts.app.configText}</p>
          <p>
            <code>{configError.message}</code>
          </p>
        </Screen>
      ) : !config.value ? (
        <Busy />
      ) : !client.value ? (
        <SignInScreen loginError={loginError} />
      ) : (
        <ErrorBoundary key={JSON.stringify(route.value)}>
          <CurrentScreen client={client.value} route={route.value} />
        </ErrorBoundary>
      )}
      <LiveRegion />
    </>
  );
}

/** Shows the error of a screen that cannot be drawn, for example because the service is older than the page. */
class ErrorBoundary extends Component<{ children: ComponentChildren }, { error: unknown }> {
  override state = { error: null as unknown };

  override componentDidCatch(error: unknown): void {
    this.setState({ error });
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Screen title={texts.errors.unexpected}>
        <p>{texts.app.brokenText}</p>
        <p>
          <code>{explain(error).text}</code>
        </p>
      </Screen>
    );
  }
}

function CurrentScreen({ client, route }: { client: Anemonefish; route: Route }) {
  switch (route.screen) {
    case 'start':
      return <StartScreen client={client} />;
    case 'executions':
      return <ExecutionsScreen client={client} />;
    case 'execution':
      return <ExecutionScreen client={client} id={route.id} />;
    case 'review':
      return <ReviewScreen client={client} id={route.id} />;
    case 'uploads':
      return <UploadsScreen client={client} />;
    case 'unknown':
      return (
        <Screen title={texts.app.notFound}>
          <p>{texts.app.notFoundText}</p>
          <p>
            <a href={links.start}>{texts.app.backToStart}</a>
          </p>
        </Screen>
      );
  }
}

function Header() {
  const { screen } = route.value;
  const { count, review } = verdictQueues.waiting.value;
  const current = (...screens: Route['screen'][]) => (screens.includes(screen) ? 'page' : undefined);
  return (
    <header class="header">
      <a class="brand" href={links.start}>
        <img src="./icon.svg" alt="" width="24" height="24" />
        {texts.app.name}
      </a>
      {client.value && (
        <>
          <nav aria-label={texts.app.navigation}>
            <a href={links.start} aria-current={current('start')}>
              {texts.app.start}
            </a>
            <a href={links.executions} aria-current={current('executions', 'execution', 'review')}>
              {texts.app.executions}
            </a>
            <a href={links.uploads} aria-current={current('uploads')}>
              {texts.app.uploads}
            </a>
          </nav>
          {screen !== 'review' && review && (
            <span class="small" role="status">
              <a href={links.review(review.execution)} title={texts.app.verdictsOf(review.reviewer)}>
                {texts.app.verdictsWait(count)}
              </a>
            </span>
          )}
          <button type="button" class="quiet" onClick={() => void signOut()}>
            {texts.app.signOut}
          </button>
        </>
      )}
    </header>
  );
}

/** The hash names the screen, so the skip link moves the focus itself. */
function skipToContent(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#content h1')?.focus();
}
