import type { RepeatPolicy } from '../policy/repeat.js';
import type { NodeSpec } from './types.js';

/** How a node of a checked workflow repeats; null when it does not. */
export function repeatPolicyOf({ repeat }: NodeSpec): RepeatPolicy | null {
  if (repeat === undefined) return null;
  const { until, max, delay_seconds = 0, on_exhausted = 'fail' } = repeat;
  return { until, max, delaySeconds: delay_seconds, onExhausted: on_exhausted };
}
