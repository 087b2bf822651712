/** What keys mean while an event is open. */

export type EventAction = 'previous' | 'next' | 'play' | 'zoom' | 'close';

const ACTIONS: Record<string, EventAction> = { ArrowLeft: 'previous', ArrowRight: 'next', ' ': 'play', z: 'zoom', Escape: 'close' };

/**
 * Return what a key does, or null if it belongs to the control that has the focus.
 *
 * @param element name of the element with the focus: fields need arrows and letters for themselves, buttons only Space
 */
export function eventKey(key: string, element: string): EventAction | null {
  const action = ACTIONS[key] ?? null;
  if (action === 'close') return action;
  if (['input', 'select', 'textarea'].includes(element)) return null;
  return action === 'play' && element === 'button' ? null : action;
}
