import type { Anemonefish } from '../client.ts';
import { texts } from '../texts.ts';
import { Screen } from '../ui.tsx';

export function UploadsScreen(_: { client: Anemonefish }) {
  return <Screen title={texts.app.uploads}>{null}</Screen>;
}
