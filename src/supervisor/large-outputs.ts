import { INLINE_OUTPUT_LIMIT_BYTES, type NodeOutput } from '../base/model.js';
import type { EngineEvent } from '../engine/effects.js';
import { breachOf } from '../policy/contracts.js';
import type { ExecutionStore } from '../store/types.js';
import type { ActiveExecution } from './active-execution.js';
import { outputKey } from './outputs.js';
import type { Turn } from './turn.js';

/** A large output gets a row of its own, in this turn's commit; the journal keeps its size. */
export function keepOutput(
  turn: Turn,
  store: ExecutionStore,
  { execution, node, run }: { execution: ActiveExecution; node: number; run: number },
  text: string,
): NodeOutput {
  if (text.length <= INLINE_OUTPUT_LIMIT_BYTES / 3) return text;
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= INLINE_OUTPUT_LIMIT_BYTES) return text;
  turn.ops.push(store.putOutput(execution.id, node, run, text));
  const key = outputKey(node, run);
  execution.unsavedOutputs.set(key, text);
  turn.savedOutputs.push({ execution, key });
  return { sizeBytes };
}

/** The same for what a child gave; whether that fits what its node promised is seen here, too. */
export function takeChildOutput(
  turn: Turn,
  store: ExecutionStore,
  execution: ActiveExecution,
  event: EngineEvent,
): EngineEvent {
  if (event.type !== 'childEnded' || 'error' in event.outcome) return event;
  const { node, outcome } = event;
  if (typeof outcome.output !== 'string') return event;
  const { definition, engine } = execution;
  const contracts = definition.contracts?.verify(node, outcome.output);
  const error = contracts && breachOf(contracts, definition.plan.ids[node]);
  if (error) return { ...event, contracts, outcome: { error } };
  const run = engine.state.columns.run[node];
  const output = keepOutput(turn, store, { execution, node, run }, outcome.output);
  return { ...event, contracts, outcome: { output } };
}
