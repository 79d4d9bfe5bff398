import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';
import { maestro } from './support/maestro.js';

/** Recorded workflows, and none of our own making: beside the repository, so they may be missing. */
const FOLDER = resolve(import.meta.dirname, '../../../shared/workloads');
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.json(\.gz)?$/.test(name)) : [];
const tempDir = tempDirs('maestro-workloads');

interface Summary {
  execution_id: string;
  status: string;
  completed_nodes: number;
  total_nodes: number;
  counts: Record<string, number>;
}

interface EventLine {
  event_type: string;
  execution_id: string;
  node_id?: string;
}

/** Ids and parents as the file has them: read here without the importer under test. */
function parentsOf(file: string): Map<string, string[]> {
  const bytes = readFileSync(join(FOLDER, file));
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const { workflow } = JSON.parse(text) as {
    workflow: { specification: { tasks: { id: string; parents?: string[] }[] } };
  };
  return new Map(workflow.specification.tasks.map((task) => [task.id, task.parents ?? []]));
}

/** What is wrong with the order of events, by the file's edges; empty when nothing is. */
function violations(events: readonly EventLine[], parents: ReadonlyMap<string, readonly string[]>): string[] {
  const wrong: string[] = [];
  const completed = new Map<string, number>();
  const started = new Map<string, number>();
  for (const { event_type, node_id } of events) {
    if (node_id === undefined) continue;
    if (!parents.has(node_id)) wrong.push(`${event_type} of ${node_id}, which the file does not have`);
    if (event_type === 'node_completed') completed.set(node_id, (completed.get(node_id) ?? 0) + 1);
    if (event_type !== 'node_started') continue;
    started.set(node_id, (started.get(node_id) ?? 0) + 1);
    for (const parent of parents.get(node_id) ?? [])
      if (!completed.has(parent)) wrong.push(`${node_id} started before ${parent} had completed`);
  }
  for (const id of parents.keys()) {
    if (started.get(id) !== 1) wrong.push(`${id} started ${started.get(id) ?? 0} times`);
    if (completed.get(id) !== 1) wrong.push(`${id} completed ${completed.get(id) ?? 0} times`);
  }
  return wrong;
}

async function runAndCheck(file: string, flags: readonly string[]): Promise<EventLine[]> {
  const cwd = tempDir();
  const store = ['--store', `lmdb:${join(cwd, 'store')}`];
  const run = ['run', join(FOLDER, file), '--time-scale', '0', '--json', ...flags, ...store];
  const { code, out, err } = await maestro(run, { cwd });
  expect(code, err).toBe(0);
  const summary = JSON.parse(out) as Summary;
  const parents = parentsOf(file);
  expect(summary).toMatchObject({
    status: 'completed',
    completed_nodes: parents.size,
    total_nodes: parents.size,
  });
  expect(summary.counts.completed).toBe(parents.size);

  const told = await maestro(['events', summary.execution_id, '--json', ...store], { cwd });
  expect(told.code, told.err).toBe(0);
  const events = told.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EventLine);
  expect(events[0].event_type).toBe('workflow_started');
  expect(events.at(-1)?.event_type).toBe('workflow_completed');
  expect(new Set(events.map((event) => event.execution_id))).toEqual(new Set([summary.execution_id]));
  expect(violations(events, parents)).toEqual([]);
  return events;
}

describe('recorded workflows through the command', () => {
  if (FILES.length === 0) {
    // The recorded workflows are not part of this repository.
    it.skip(`needs the recorded workflows in ${FOLDER}`, () => undefined);
    return;
  }

  it.each(FILES)('%s runs whole and in order', async (file) => {
    await runAndCheck(file, ['--mode', 'dag_parallel']);
  });

  it('by default one node runs after another', async () => {
    const events = await runAndCheck('hic-dirt02-001.json', []);
    const attempts = events.filter(({ event_type }) => /^node_(started|completed)$/.test(event_type));
    const expected = attempts.map((_, index) => (index % 2 === 0 ? 'node_started' : 'node_completed'));
    expect(attempts.map(({ event_type }) => event_type)).toEqual(expected);
  });

  it('notices an order that the edges forbid', () => {
    const parents = new Map([
      ['a', []],
      ['b', ['a']],
    ]);
    const event = (event_type: string, node_id: string): EventLine => ({
      event_type,
      node_id,
      execution_id: 'x',
    });
    const events = [
      event('node_started', 'a'),
      event('node_started', 'b'),
      event('node_completed', 'a'),
      event('node_completed', 'b'),
    ];
    expect(violations(events, parents)).toEqual(['b started before a had completed']);
    expect(violations(events.slice(0, 2), parents)).toHaveLength(3);
  });
});
