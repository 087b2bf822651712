/** Routes that the client gets with the service's next release of it; this file goes when they are there. */
import type { Anemonefish } from '../client.ts';

interface Clip {
  url: string;
  sample_rate: number;
  start_sample: number;
  stop_sample: number;
}


export interface Routes {
  clip(id: string, recording: number, start: number, stop: number): Promise<Clip>;
  spectrogram(id: string, recording: number, start: number, stop: number): Promise<Clip & { low_hz: number; high_hz: number }>;
}

export const routesOf = (client: Anemonefish) => client as unknown as Routes;
