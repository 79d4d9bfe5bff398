import { stageOf } from '../../src/graph/index.js';
import { stageIdOf } from './open-attempts.js';
import { outputOf } from './scenario.js';
import type { Shadow } from './shadow.js';
import { asksOf, mayLackInputs } from './triggers.js';
import { demand } from './violation.js';

/** An attempt is sent with these outputs of others. @param seesAll what is on disk is what the process knows */
export function checkInputs(shadow: Shadow, node: number, dependencyOutputs: string, seesAll: boolean): void {
  const { plan } = shadow;
  const name = `${shadow.planned.id}: ${plan.ids[node]}`;
  const asks = asksOf(shadow.specOf(node));
  const inputs = JSON.parse(dependencyOutputs) as Record<string, { run: number; attempt: number }>;
  // What the list of a map is made of does not travel with its items; what a compensation is given ended before.
  const isFree = shadow.isCompensation(node);
  const outside = new Set(shadow.isItem(node) ? shadow.inputsOf(node) : []);
  for (const at of shadow.dependenciesOf(node)) outside.delete(at);
  for (const dependency of shadow.inputsOf(node)) {
    const id = shadow.plan.ids[dependency];
    const key = stageIdOf(shadow, id);
    if ((outside.has(dependency) || isFree) && !(key in inputs)) continue;
    const isLeftOut =
      seesAll && asks !== undefined && shadow.hasCome(dependency, stageOf(plan, node)) === false;
    const what = `${name} was sent with the output of ${id}, which has not come to it`;
    demand(!isLeftOut || !(key in inputs), 'INPUTS', what);
    if (asks !== undefined && !(key in inputs)) {
      const isKnown = seesAll && shadow.hasCome(dependency, node) === true;
      const fits = !isKnown || mayLackInputs(shadow, node, asks);
      demand(fits, 'INPUTS', `${name} was sent without the output of ${id}, which has completed`);
      continue;
    }
    demand(key in inputs, 'DEPENDENCIES_FIRST', `${name} was sent without the output of ${id}`);
    const known = seesAll ? shadow.results.get(dependency) : undefined;
    const input = inputs[key];
    const expected =
      known ?? (shadow.speaksForOthers(dependency) ? null : outputOf(id, input.run, input.attempt));
    const fits = expected === null || JSON.stringify(input) === expected;
    demand(
      fits,
      'INPUTS',
      `${name} got another output of ${id}: ${inputText(input)}, not ${expected?.slice(0, 80)}`,
    );
  }
}

function inputText(input: unknown): string {
  return JSON.stringify(input).slice(0, 80);
}
