import { seededRandom } from '../src/runtime/index.js';
import type { Body, StepBody } from './types.js';

const SHORT: StepBody = { kind: 'spin', microseconds: 50 };
const LONG: StepBody = { kind: 'spin', microseconds: 20_000 };
const LONG_PART = 0.1;

/** What each of so many nodes does; the same whenever it is asked. */
export function bodiesOf(body: Body, nodes: number, seed: number): (node: number) => StepBody {
  if (body.kind !== 'mixed') return () => body;
  const long = new Uint8Array(nodes).fill(1, 0, Math.round(nodes * LONG_PART));
  const draw = seededRandom(seed);
  for (let k = nodes - 1; k > 0; k--) {
    const other = Math.floor(draw() * (k + 1));
    [long[k], long[other]] = [long[other], long[k]];
  }
  return (node) => (long[node] === 1 ? LONG : SHORT);
}

/** Whether steps keep their cores busy. */
export function isBusy(body: Body): boolean {
  return body.kind === 'spin' || body.kind === 'mixed';
}

/** How long a step takes, on the average. */
export function meanSeconds(body: Body): number {
  switch (body.kind) {
    case 'noop':
      return 0;
    case 'spin':
      return body.microseconds / 1e6;
    case 'sleep':
      return body.milliseconds / 1e3;
    case 'mixed':
      return LONG_PART * meanSeconds(LONG) + (1 - LONG_PART) * meanSeconds(SHORT);
  }
}
