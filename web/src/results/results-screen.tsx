/** The results of an execution that has succeeded. */
import type { Anemonefish, Execution } from '../client.ts';
import { links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { Screen } from '../ui.tsx';

export function ResultsScreen({ execution }: { client: Anemonefish; execution: Execution }) {
  return (
    <Screen title={texts.results.title} wide>
      <p>
        <a href={links.review(execution.id)}>{texts.review.title}</a>
      </p>
    </Screen>
  );
}
