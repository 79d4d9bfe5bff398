import type { Effect, EngineEvent } from '../engine/effects.js';
import type { ActiveExecution } from './active-execution.js';
import { evaluateCondition, evaluateUntil } from './conditions.js';
import type { Jobs } from './jobs.js';

/** What an engine asks for that is computed from outputs: a condition, the end of a loop, the list of a map. */
type Question = Extract<Effect, { kind: 'evaluate' | 'judge' | 'expand' }>;

/** Answers a question of an engine. Never rejects: what goes wrong is the answer. */
export async function answerTo(
  execution: ActiveExecution,
  effect: Question,
  jobs: Pick<Jobs, 'outputText' | 'textOf'>,
): Promise<EngineEvent> {
  const outputText = (of: number): Promise<string> => jobs.outputText(execution, of);
  const { node } = effect;
  switch (effect.kind) {
    case 'evaluate': {
      const { from, question } = effect;
      const verdict = await evaluateCondition(execution, node, from, outputText);
      return { type: 'conditionEvaluated', node, from, question, verdict };
    }
    case 'judge': {
      const ownText = (): Promise<string> => jobs.textOf(execution, effect);
      const verdict = await evaluateUntil(execution, effect, outputText, ownText);
      return { type: 'iterationJudged', node, run: effect.run, verdict };
    }
    case 'expand': {
      const list = await execution.mapValues.expand(execution, node, outputText);
      return { type: 'mapEvaluated', node, question: effect.question, list };
    }
  }
}
