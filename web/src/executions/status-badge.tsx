import { texts } from '../texts.ts';

export type Status = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

const TONES: Record<Status, string> = {
  PENDING: 'info',
  RUNNING: 'info',
  SUCCEEDED: 'success',
  FAILED: 'error',
  CANCELLED: 'warning',
};

/** The state of an execution: a word, and a colour that is not needed to understand it. */
export function StatusBadge({ status }: { status: Status }) {
  return <span class={`badge ${TONES[status]}`}>{texts.executions.states[status]}</span>;
}
