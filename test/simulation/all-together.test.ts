import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as really } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { isMaestroError, toErrorDocument } from '../../src/base/errors.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { Job } from '../../src/pool/index.js';
import { artifactDirOf, idempotencyKeyOf } from '../../src/pool/port.js';
import type { ArtifactDocument, Execution, ExecutionDocument, Runtime } from '../../src/runtime/types.js';
import { SimulatedDisk, type CommitFault } from '../../src/simulation/disk.js';
import { SimulatedPool, type SimulatedAttempt } from '../../src/simulation/pool.js';
import { Timeline } from '../../src/simulation/timeline.js';
import { World, type BootOptions, type SimulatedProcess } from '../../src/simulation/world.js';
import { loadWorkflowFile, type Workflow } from '../../src/spec/index.js';
import { tempDirs } from '../support/temp-dir.js';

/** How the workflow ends: well; by a node that is out of time; by its own time, while a child runs. */
type Ending = 'completed' | 'node out of time' | 'workflow out of time';
type Step = 'fail' | 'hang' | { readonly output: unknown };

const newFolder = tempDirs('maestro-together');
const RESTART_MS = 1_000;
/** How many of these may execute at once: of the queue, the group, the items of the map. */
const LIMITS: [RegExp, most: number][] = [
  [/^(?:api|parse\[\d+\]|first)$/, 1],
  [/^(?:database|api|web)$/, 2],
  [/^(?:fetch|parse)\[\d+\]$/, 2],
];
const ITEMS = [0, 1, 2, 3, 4].map((n) => ({ n }));

/** What an attempt comes to: by its node, the run of that, and its number, whatever happened to the process. */
function stepOf(call: Job['call'], ending: Ending): Step {
  const { nodeId, executionId, attempt } = call;
  const isFirst = attempt === 1;
  switch (nodeId) {
    case 'plan':
      if (isFirst) return { output: {} };
      return attempt === 2 ? 'fail' : { output: { items: ITEMS, errors: 0 } };
    case 'api':
      return call.run === 0 ? 'fail' : { output: { port: 80 } };
    case 'fetch[1]':
    case 'compensate:poll':
      return isFirst ? 'fail' : { output: 1 };
    case 'fetch[2]':
      return 'hang';
    case 'poll':
      return call.repeat!.iteration === 2 && isFirst ? 'fail' : { output: { n: call.repeat!.iteration } };
    case 'last':
      if (executionId.endsWith('.1')) return 'fail';
      return ending === 'workflow out of time' ? 'hang' : { output: { given: call.globalContext } };
    case 'deliver':
      if (ending === 'completed') return { output: 'there' };
      return isFirst ? 'fail' : 'hang';
    case 'compensate:web':
      return 'fail';
    default:
      return { output: { by: nodeId } };
  }
}

/** No two steps end at one moment; `api` fails long after `web` has completed. */
function lastsMs(nodeId: string): number {
  if (nodeId === 'api') return 3_001;
  return 20 + ([...nodeId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 0) % 400);
}

interface Played {
  readonly end: unknown;
  readonly commits: number;
  readonly lives: number;
  readonly types: ReadonlySet<string>;
  readonly document: ExecutionDocument;
}

/** One execution, by a process that is started again whenever it dies, and people who answer what waits. */
class Together {
  private readonly timeline = new Timeline();
  private readonly world = new World(this.timeline);
  private readonly disk: SimulatedDisk;
  private readonly folder = newFolder();
  private process: SimulatedProcess<SimulatedPool> | null = null;
  private lives = 0;
  private failure: Error | null = null;
  private documents: ExecutionDocument[] | null = null;
  files: readonly ArtifactDocument[] = [];
  private readonly stored = new Map<string, ExecutionEvent[]>();
  private readonly told = new Map<string, ExecutionEvent>();
  /** Keys of runs whose completion was told: nothing may run for them any more. */
  private readonly done = new Set<string>();
  /** By execution and node: the key of the attempt that settled last. */
  private readonly settled = new Map<string, string>();
  private running = new Set<string>();
  /** Commits that had begun when files began to be read, which takes real time; -1: none are read. */
  private readingSince = -1;

  constructor(
    private readonly workflow: Workflow,
    private readonly ending: Ending,
    faults: ReadonlyMap<number, CommitFault>,
  ) {
    this.disk = new SimulatedDisk(this.timeline, { latencyMs: () => 0, faultOf: (n) => faults.get(n) });
  }

  async play(): Promise<Played> {
    void this.live();
    const isOver = (): boolean => this.documents !== null || this.failure !== null;
    while (!isOver()) {
      if (this.readingSince >= 0 && this.disk.commits > this.readingSince) this.readingSince = -1;
      if (this.readingSince >= 0) await really(1);
      else await this.timeline.run(isOver, { maxSteps: 1 });
      if (this.timeline.nowMs > Date.UTC(2030, 0, 2)) throw new Error('it did not end in a day');
    }
    this.process?.die('it is over');
    if (this.failure !== null) throw this.failure;
    this.checkTold();
    const documents = this.documents!;
    const types = new Set([...this.stored.values()].flat().map(({ event_type }) => event_type));
    const document = documents.find(({ execution_id }) => execution_id === 'e')!;
    return { end: this.essence(documents), commits: this.disk.commits, lives: this.lives, types, document };
  }

  private async live(): Promise<void> {
    for (;;) {
      const process = this.world.create('process-', this.boot());
      this.process = process;
      this.lives++;
      this.running = new Set();
      void this.lead(process).catch((error: Error) => {
        if (process.alive) this.failure ??= error;
      });
      await process.dead;
      if (this.documents !== null) return;
      this.readingSince = -1;
      await this.timeline.sleep(RESTART_MS);
    }
  }

  private boot(): BootOptions<SimulatedPool> {
    return {
      seed: 1,
      workflows: [this.workflow],
      graceMs: 500,
      inboxEveryMs: 3_600_000,
      queues: { gpu: 1 },
      artifactRoot: this.folder,
      openDisk: (user) => this.disk.open(user),
      poolOf: ({ clock }) =>
        new SimulatedPool({
          clock,
          slots: 100,
          attemptOf: (job) => this.attemptOf(job),
          settled: ({ call }, outcome) => {
            this.running.delete(idempotencyKeyOf(call));
            this.settled.set(`${call.executionId}/${call.nodeId}`, loopKey(call));
            if (outcome.ok && outcome.artifacts.length > 0) this.readingSince = this.disk.commits;
          },
        }),
      onEvent: (event) => this.hear(event),
    };
  }

  private async lead(process: SimulatedProcess): Promise<void> {
    const runtime = await this.world.start(process, this.boot());
    const execution = await this.begin(runtime);
    await execution?.result;
    for (
      let counts = await runtime.counts();
      counts.pending + counts.running > 0;
      counts = await runtime.counts()
    )
      await this.timeline.sleep(500);
    const { records } = await runtime.list({ limit: 100 });
    const documents: ExecutionDocument[] = [];
    for (const { executionId } of records) {
      documents.push((await runtime.get(executionId, { items: ITEMS_SHOWN }))!);
      const events: ExecutionEvent[] = [];
      for await (const event of runtime.events(executionId)) events.push(event);
      this.stored.set(executionId, events);
    }
    if (!process.alive) return;
    this.readingSince = this.disk.commits;
    this.files = await runtime.artifacts('e', { verify: true });
    this.documents = documents;
  }

  /** @returns undefined when it has ended before */
  private async begin(runtime: Runtime): Promise<Execution | undefined> {
    const document = await runtime.get('e');
    if (document === undefined) return runtime.start(this.workflow, {}, { executionId: 'e' });
    if (isWorkflowStatusEnded(document.status)) return undefined;
    for (const nodeId of ['paid', 'approve'])
      if (document.node_states[nodeId].status === 'running') this.answerSoon(nodeId);
    return runtime.resume('e');
  }

  private attemptOf({ call }: Job): SimulatedAttempt {
    const { nodeId } = call;
    const [idempotencyKey, artifactDir] = [idempotencyKeyOf(call), artifactDirOf(call)];
    if (this.done.has(loopKey(call))) this.failure ??= new Error(`${loopKey(call)} runs after it was told`);
    if (this.running.has(idempotencyKey)) this.failure ??= new Error(`${idempotencyKey} runs twice at once`);
    this.running.add(idempotencyKey);
    for (const [limited, most] of LIMITS) {
      const beside = [...this.running].filter((key) => limited.test(key.split('/').at(-2)!));
      if (beside.length > most) this.failure ??= new Error(`at once: ${beside.join(', ')}`);
    }
    const step = stepOf(call, this.ending);
    const durationMs = lastsMs(nodeId);
    const error = toErrorDocument(Object.assign(new Error(`${nodeId} failed`), { code: 'STEP_FAILED' }));
    if (step === 'fail') return { durationMs, outcome: { ok: false, kind: 'error', error, durationMs } };
    const artifacts = nodeId === 'file' ? ['text'] : [];
    if (nodeId === 'file') mkdirSync(artifactDir, { recursive: true });
    for (const name of artifacts) writeFileSync(join(artifactDir, name), 'kept');
    const output = JSON.stringify(step === 'hang' ? null : step.output);
    const outcome = { ok: true, output, artifacts, durationMs } as const;
    return { durationMs: step === 'hang' ? Infinity : durationMs, outcome };
  }

  private hear(event: ExecutionEvent): void {
    const { event_type, execution_id, node_id = '', event_id, data } = event;
    if (event_id !== undefined) {
      const key = `${execution_id} ${event_id}`;
      if (this.told.has(key)) this.failure ??= new Error(`${event_type} ${key} is told twice`);
      this.told.set(key, event);
    }
    const last = this.settled.get(`${execution_id}/${node_id}`);
    if ((event_type === 'node_completed' || event_type === 'node_repeated') && last !== undefined)
      this.done.add(last);
    if (event_type === 'node_started' && data.waiting_for !== undefined) this.answerSoon(node_id);
  }

  /** People outlive processes: what they told one that died over it they tell the next one, which looks what waits. */
  private answerSoon(nodeId: string): void {
    if (nodeId !== 'paid' && nodeId !== 'approve') return;
    this.timeline.after(700, () => {
      const { process } = this;
      if (process?.alive !== true || process.runtime === null) return;
      const { runtime } = process;
      const said =
        nodeId === 'paid'
          ? runtime.signal('e', 'paid', { euro: 5 }, { signalId: 'once' })
          : runtime.review('e', nodeId, { decision: 'approve', reviewer: 'ada' });
      said.catch((error: Error) => {
        // It was said before the process died.
        if (process.alive && !isMaestroError(error, 'EXECUTION_STATE')) this.failure ??= error;
      });
    });
  }

  /** What was told is what is stored, under the same number. */
  private checkTold(): void {
    for (const { event_id, execution_id, event_type, node_id } of this.told.values()) {
      const found = this.stored.get(execution_id)!.find((each) => each.event_id === event_id);
      expect(found, `${execution_id} ${event_id}`).toMatchObject({ event_type, ...(node_id && { node_id }) });
    }
  }

  /** What must be the same however often the process died. */
  private essence(documents: readonly ExecutionDocument[]): unknown {
    const executions = documents.map((document) => {
      const { execution_id, status, failed_node, error, parent, children } = document;
      const { compensation, contracts, artifacts, node_states } = document;
      const nodes = Object.values(node_states).map(
        ({ node_id, status: leaf, attempt_count, error_message, output, metadata }) => {
          const { map, group, edges, cached, skipped_because, child } = metadata;
          const shown = { map, group, edges, cached, skipped_because, child };
          return { node_id, leaf, attempts: attempt_count, message: error_message, output, shown };
        },
      );
      const said = { failed_node, code: error?.code, parent, children, compensation, contracts, artifacts };
      return { execution_id, status, ...said, nodes, events: decisive(this.stored.get(execution_id)!) };
    });
    executions.sort((a, b) => (a.execution_id < b.execution_id ? -1 : 1));
    const text = JSON.stringify([...executions, ...this.files]).replaceAll(
      /"\d{4}-\d\d-\d\dT[\d:.]+Z"/g,
      '"(time)"',
    );
    return JSON.parse(text.replaceAll(this.folder, '(folder)'));
  }

  /** The compensations as they began, and the completions that they undo, the last one first. */
  undone(): { begun: string[]; reverse: string[] } {
    const events = this.stored.get('e')!;
    const nodes = (type: string, isUndo: boolean): string[] =>
      events.flatMap(({ event_type, node_id = '' }) =>
        event_type === type && node_id.startsWith(UNDO) === isUndo ? [node_id.replace(UNDO, '')] : [],
      );
    const lastOf = (ids: readonly string[]): string[] => ids.filter((id, at) => ids.lastIndexOf(id) === at);
    const undoable = new Set(this.workflow.spec.nodes.flatMap(({ compensates = [] }) => compensates));
    const completed = lastOf(nodes('node_completed', false)).filter((id) => undoable.has(id));
    return { begun: [...new Set(nodes('node_started', true))], reverse: completed.reverse() };
  }
}

const UNDO = 'compensate:';
const ITEMS_SHOWN = ITEMS.flatMap(({ n }) => [`fetch[${n}]`, `parse[${n}]`]);

/** One run of a node, and of a loop one iteration. */
function loopKey(call: Job['call']): string {
  return `${call.executionId} ${call.nodeId} ${idempotencyKeyOf(call)} ${call.repeat?.iteration ?? ''}`;
}

/** How often each thing happened that happens once, whatever crashes: not what is begun again, or made ready again. */
function decisive(events: readonly ExecutionEvent[]): string[] {
  const again = new Set(['node_started', 'node_ready', 'node_recovered', 'node_progress']);
  return events
    .filter(({ event_type }) => !again.has(event_type))
    .map(({ event_type, node_id = '', data }) => {
      const { iteration, from, taken, contract } = data;
      return JSON.stringify([event_type, node_id, data.attempt, iteration, from, taken, contract]);
    })
    .sort();
}

let workflow: Workflow;
beforeAll(async () => {
  ({ workflow } = await loadWorkflowFile(join(import.meta.dirname, '../fixtures/together/all.yaml')));
});

const ENDINGS: [Ending, ExecutionDocument['status'], string | undefined][] = [
  ['completed', 'completed', undefined],
  ['node out of time', 'failed', 'NODE_TIMEOUT'],
  ['workflow out of time', 'failed', 'WORKFLOW_TIMEOUT'],
];

/** Deaths at a commit, and one more a little later, while what is left is taken up again. */
const deathsAt = (n: number): [how: string, faults: [number, CommitFault][]][] => [
  ['written, not answered', [[n, { kind: 'crash', applied: true }]]],
  ['not written', [[n, { kind: 'crash', applied: false }]]],
  ['not written, nor the third after it', [n, n + 3].map((at) => [at, { kind: 'crash', applied: false }])],
];

describe('all features in one workflow', () => {
  it('are all in it, and do what they are there for', async () => {
    const together = new Together(workflow, 'node out of time', new Map());
    const { types, document } = await together.play();
    expect([...types]).toEqual(
      expect.arrayContaining([
        ...['node_retry', 'node_skipped', 'node_repeated', 'node_cached', 'map_expanded', 'group_restarted'],
        ...['edge_evaluated', 'contract_verified', 'contract_breached', 'workflow_signal_received'],
        ...['workflow_compensating', 'workflow_failed'],
      ]),
    );
    const { node_states, node_outputs, children, compensation, artifacts } = document;
    const skipped = Object.values(node_states).filter(({ status }) => status === 'skipped');
    expect(skipped.map(({ node_id }) => node_id)).toEqual(['never', 'fix', 'parse[3]']);
    expect(children!.map(({ execution_id, status }) => `${execution_id} ${status}`)).toEqual([
      'e+child.0.1 failed',
      'e+child.0.2 completed',
    ]);
    expect(node_outputs.each).toEqual([
      ...[{ by: 'parse[0]' }, { by: 'parse[1]' }],
      ...[null, null, { by: 'parse[4]' }],
    ]);
    expect(node_outputs.again).toEqual({ by: 'make' });
    expect(artifacts.file).toHaveLength(1);
    expect(together.files).toMatchObject([{ node_id: 'file', size_bytes: 4, verified: 'ok' }]);
    expect(compensation).toEqual({
      ...{ after: 'failed', open: [], failed: ['web'] },
      completed: ['plan', 'ship', 'poll', 'bill'],
    });
    expect(together.undone().begun).toEqual(['bill', 'poll', 'web', 'ship', 'plan']);
  });

  it.each(ENDINGS)(
    'come to the same end after a crash at any commit: %s',
    async (ending, status, code) => {
      const expected = await new Together(workflow, ending, new Map()).play();
      expect(expected.document.status).toBe(status);
      expect(expected.document.error?.code).toBe(code);
      for (let n = 0; n <= expected.commits; n++)
        for (const [how, faults] of deathsAt(n)) {
          const where = `crash at commit ${n}, ${how}`;
          const crashing = new Together(workflow, ending, new Map(faults));
          const played = await crashing.play().catch((error: unknown) => {
            throw new Error(`${where}: ${String(error)}`, { cause: error });
          });
          if (n < expected.commits) expect(played.lives, where).toBeGreaterThan(1);
          expect(played.end, where).toEqual(expected.end);
          const { begun, reverse } = crashing.undone();
          expect(begun, where).toEqual(status === 'failed' ? reverse : []);
        }
    },
    120_000,
  );
});
