import type { Anemonefish } from '../client.ts';
import { texts } from '../texts.ts';
import { Screen } from '../ui.tsx';

export function StartScreen(_: { client: Anemonefish }) {
  return <Screen title={texts.app.start}>{null}</Screen>;
}
