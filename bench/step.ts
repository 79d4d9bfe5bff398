import type { StepContext } from '../src/runtime/index.js';
import type { StepBody } from './types.js';

/** What every node of a benchmark executes, wherever it runs. */
export interface StepConfig {
  readonly body: StepBody;
  readonly payloadBytes: number;
  /** Of the node before a map: how many items it lists. */
  readonly items?: number;
}

let payload = '';

/** Does what `node_config` says, and returns as much as it says. */
export function task({ nodeConfig }: Pick<StepContext, 'nodeConfig'>): object | Promise<object> {
  const { body, payloadBytes, items } = nodeConfig as unknown as StepConfig;
  if (items !== undefined) return { items: Array.from({ length: items }, (_, n) => n) };
  if (payload.length !== payloadBytes) payload = 'x'.repeat(payloadBytes);
  const output = payloadBytes > 0 ? { payload } : {};
  if (body.kind === 'sleep') return new Promise((resolve) => setTimeout(resolve, body.milliseconds, output));
  if (body.kind === 'spin') {
    const endMs = performance.now() + body.microseconds / 1000;
    while (performance.now() < endMs);
  }
  return output;
}
