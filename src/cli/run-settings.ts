import {
  generations,
  type FlagSettings,
  type FlagChoices,
  type Plan,
  type Workflow,
} from '../runtime/index.js';

/** What is worth saying about the settings: where a flag keeps a spec from doing what it says. */
export function noticesFor(
  settings: FlagSettings,
  choices: FlagChoices,
  workflow: Workflow,
  plan: Plan,
): string[] {
  const notices: string[] = [];
  if (!settings.persistent) {
    notices.push('MAESTRO_ENABLE_CONTEXT_PERSISTENCE is off: nothing is stored, and nothing can be resumed');
  }
  const retrying = workflow.spec.nodes.some((node) => (node.retry_policy?.max_attempts ?? 1) > 1);
  if (retrying && !settings.retries && choices.retries === undefined) {
    notices.push('retry policies take no effect: pass --retries, or set MAESTRO_ENABLE_RETRY_LOGIC=true');
  }
  if (choices.mode === undefined && settings.mode !== 'dag_parallel' && isWide(plan)) {
    notices.push(
      `one node at a time (${settings.mode}, from the MAESTRO_* flags); --mode dag_parallel runs independent nodes at once`,
    );
  }
  return notices;
}

/** Whether some nodes could run at once. */
function isWide(plan: Plan): boolean {
  return generations(plan).length < plan.nodeCount;
}
