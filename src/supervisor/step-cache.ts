import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ArtifactFile } from '../store/artifact-rows.js';
import type { StepRef } from '../pool/index.js';
import type { CachedResult } from '../store/cached-results.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionStore } from '../store/types.js';
import type { Inputs } from './inputs.js';
import { conditionNode } from './conditions.js';
import type { RunningJob } from './running-job.js';
import { referencedOutputs } from './outputs.js';

/** Whether the results of this attempt's node are kept for others like it. */
export function isCached({ execution: { definition }, node }: RunningJob): boolean {
  return definition.hasCaches && definition.nodeSpec(node).cache !== undefined;
}

/**
 * What an attempt's result is made from, as SHA-256: the step and its source, its config, the declared version, and
 * what it is given, or instead of that the value of `cache.key`. @throws EXPRESSION_FAILED when that has none
 */
export async function cacheHash(
  job: RunningJob,
  inputs: Inputs,
  outputText: (node: number) => Promise<string>,
): Promise<string> {
  const { execution, node } = job;
  const { definition, globalContext } = execution;
  const { key, version } = definition.nodeSpec(node).cache!;
  const given =
    key === undefined
      ? ['inputs', inputs.dependencyOutputs, inputs.dependencyArtifacts, globalContext]
      : ['key', await keyValue(job, key, outputText)];
  const identity = await identityOf(definition.stepOf(node), definition.workflow.spec.workflow.id);
  const parts = [identity, definition.configOf(node), version ?? null, given];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Looks for a result that has not grown old; none when the execution was started without. */
export async function lookUp(
  store: ExecutionStore,
  { execution }: RunningJob,
  hash: string,
  nowMs: number,
): Promise<CachedResult | undefined> {
  return execution.record.options.cache === false ? undefined : store.cached.get(hash, nowMs);
}

const NO_ROWS: readonly KvOp[] = [];

/**
 * What is stored beside a success: the manifest of its artifacts, and itself if it is to be kept. One with artifacts is
 * not: files belong to their execution, and go with it.
 * @param files the artifacts, once they were read
 * @param cached its hash, when it was kept from before
 */
export function resultRows(
  store: ExecutionStore,
  job: RunningJob,
  { output, artifacts }: { readonly output: string; readonly artifacts: readonly string[] },
  files: readonly ArtifactFile[] | undefined,
  cached: string | undefined,
  nowMs: number,
): readonly KvOp[] {
  const { execution, node, run, attempt, cacheHash: hash } = job;
  // What comes too late is no success, and nobody's result.
  if (!execution.engine.state.columns.isCurrent(job)) return NO_ROWS;
  if (files !== undefined) return [store.putManifest(execution.id, { node, run, attempt, files })];
  if (hash === null || cached !== undefined || artifacts.length > 0) return NO_ROWS;
  const { id, cache } = execution.definition.nodeSpec(node);
  const expiresAtMs = nowMs + cache!.ttl_seconds * 1000;
  const { workflowId } = execution.record;
  const from = { executionId: execution.id, workflowId, nodeId: id, keptAtMs: nowMs };
  return [store.cached.put(hash, { output, expiresAtMs, ...from })];
}

async function keyValue(
  { execution, node }: RunningJob,
  key: string,
  outputText: (node: number) => Promise<string>,
): Promise<unknown> {
  const { definition, globalContext } = execution;
  const expression = definition.cacheKeyOf(key);
  return expression.evaluate({
    outputs: await referencedOutputs(execution.engine.state, expression.references, outputText),
    globalContext: JSON.parse(globalContext) as Record<string, unknown>,
    node: conditionNode(definition.nodeSpec(node)),
  });
}

/** A step is the same when its text is: of a module that of its file, not of what it imports. */
async function identityOf(step: StepRef, workflowId: string): Promise<unknown> {
  if (step.kind === 'command') return ['command', step.command, step.cwd, step.env];
  if (step.kind === 'inline' && step.key.startsWith('inline:'))
    return ['function', workflowId, step.key, step.fn.toString()];
  const [url] = step.key.split('#', 1);
  if (!url.startsWith('file:')) return ['module', step.key];
  const source = await readFile(new URL(url)).catch(() => '');
  return ['module', step.key, createHash('sha256').update(source).digest('hex')];
}
