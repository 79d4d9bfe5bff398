import type { Spread } from '../types.js';
import type { Check } from './types.js';

type More = Pick<Check, 'spread'>;

/** At least so much of what is named. */
export function atLeast(what: string, reached: number, goal: number, more: More = {}): Check {
  return { what, reached, goal, atLeast: true, ratio: reached / goal, pass: reached >= goal, ...more };
}

export function atMost(what: string, reached: number, goal: number): Check {
  return { what, reached, goal, atLeast: false, ratio: reached / goal, pass: reached <= goal };
}

/** At least a part of what the machine can do, as it was measured beside it. */
export function partOf(
  what: string,
  spread: Spread,
  part: number,
  bound: { readonly what: string; readonly value: number },
): Check {
  return { ...atLeast(what, spread.best, part * bound.value, { spread }), part, bound };
}
