/** Judging a sample of the results by key. */
import type { Anemonefish } from '../client.ts';
import { texts } from '../texts.ts';
import { Screen } from '../ui.tsx';

export function ReviewScreen(_: { client: Anemonefish; id: string }) {
  return <Screen title={texts.review.title}>{null}</Screen>;
}
