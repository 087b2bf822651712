import type { Anemonefish } from '../client.ts';
import { texts } from '../texts.ts';
import { Screen } from '../ui.tsx';

export function ExecutionsScreen(_: { client: Anemonefish }) {
  return <Screen title={texts.app.executions}>{null}</Screen>;
}
