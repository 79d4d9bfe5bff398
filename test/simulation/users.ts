import { isMaestroError, MaestroError } from '../../src/base/errors.js';
import type { SimulatedPool } from '../../src/simulation/pool.js';
import type { Timeline } from '../../src/simulation/timeline.js';
import type { SimulatedProcess } from '../../src/simulation/world.js';
import type { Workflow } from '../../src/spec/index.js';
import { approves } from './model.js';
import type { Asked, Planned, RequestFault, Scenario } from './scenario.js';
import type { Shadow } from './shadow.js';
import type { Witness } from './witness.js';

export type Process = SimulatedProcess<SimulatedPool>;

interface UsersHost {
  readonly scenario: Scenario;
  readonly witness: Witness;
  readonly timeline: Timeline;
  readonly living: () => readonly Process[];
  readonly started: (workflow: Workflow) => Workflow;
  /** A number in [0, 1). */
  readonly hash: (n: number) => number;
  readonly note: (text: string) => void;
  /** An error that a request came to. */
  readonly judge: (what: string, error: unknown) => void;
}

/** Those who start executions, answer what waits, and ask for things: at moments that suit nobody. */
export class Users {
  private readonly started = new Set<string>();
  /** Requests under way. */
  private open = 0;
  /** Signals and decisions so far: each has a name of its own. */
  private said = 0;
  private forks = 0;

  constructor(private readonly host: UsersHost) {}

  /** Whatever was asked for has been answered, or its process has died. */
  get areAnswered(): boolean {
    return this.open === 0 && this.started.size === this.host.scenario.executions.length;
  }

  async startWhenDue(planned: Planned): Promise<void> {
    const { timeline, witness } = this.host;
    const shadow = witness.shadows.get(planned.id)!;
    await timeline.sleep(planned.atMs);
    shadow.starting = true;
    await this.startOnce(planned, shadow);
    shadow.starting = false;
  }

  private async startOnce({ id, workflow: definition }: Planned, shadow: Shadow): Promise<void> {
    const { timeline, witness, living, scenario } = this.host;
    for (;;) {
      const [process] = living();
      // What ended and was deleted before its start was answered is not started again.
      if (shadow.deleted) return void this.started.add(id);
      if (process !== undefined) {
        try {
          const workflow = this.host.started(definition);
          const handle = await lasting(process, process.runtime!.start(workflow, {}, { executionId: id }));
          this.listen(id, process, handle.result);
          this.started.add(id);
          witness.watch(() => {
            if (scenario.durability !== 'exit' && shadow.record === null && !shadow.damaged)
              witness.fail('DURABLE_BEFORE_TOLD', `${id} was started but is not stored`);
          });
          return;
        } catch (error) {
          if (isMaestroError(error, 'EXECUTION_EXISTS')) return void this.started.add(id);
          this.host.judge(`start ${id}`, error);
        }
      }
      await timeline.sleep(50);
    }
  }

  /** Asks a process for something. What does not suit the execution as it is must be refused. */
  async ask(request: RequestFault, process: Process): Promise<void> {
    const all = [...this.host.witness.shadows.values()];
    // Mostly of what is there.
    const stored = all.filter(({ record, deleted }) => record !== null && !deleted);
    const shadows = stored.length > 0 && request.execution > 0 ? stored : all;
    const shadow = shadows[request.execution % shadows.length];
    const { id } = shadow.planned;
    switch (request.kind) {
      case 'signal':
        return this.signal(shadow, request.name, request.hasId, process);
      case 'review': {
        const reviews = await this.openReviews(shadow, process);
        if (reviews.length === 0) return;
        return this.review(shadow, reviews[request.pick % reviews.length], request.approve, process);
      }
      case 'rerun':
        return this.rerun(shadow, request.pick, request.cascade, process);
      case 'fork':
        return this.fork(shadow, request.picks, process);
      case 'delete':
        return this.delete(shadow, request.force, process);
      case 'collect':
        await this.answered(process, 'collect', ({ runtime }) => runtime!.collect(request.policy));
        return;
      default:
        return this.steer(shadow, request, process, id);
    }
  }

  /** A node has begun to wait: it is answered after a while, if that suits anybody then. */
  async answerSoon(shadow: Shadow, node: number): Promise<void> {
    const { timeline, hash, living } = this.host;
    const chance = hash(++this.said);
    await timeline.sleep(1_000 * chance);
    const processes = living();
    const process = processes[Math.floor(chance * 1e6) % processes.length];
    const wait = shadow.state.columns.waits.get(node);
    if (process === undefined || wait === undefined || shadow.deleted) return;
    const nodeId = shadow.plan.ids[node];
    if (wait.kind === 'review') await this.review(shadow, nodeId, approves(shadow.planned, nodeId), process);
    if (wait.signal !== null) await this.signal(shadow, wait.signal, chance < 0.5, process);
  }

  /**
   * Once nothing goes wrong any more, what rests is resumed, what nobody runs is looked for, what waits is answered. What
   * is damaged is cancelled, as its operator would: it can wait for an answer that nobody gives, and others for its room.
   */
  async seeToTheEnd(isDone: (shadow: Shadow) => boolean): Promise<void> {
    const { timeline, witness, living } = this.host;
    for (;;) {
      for (const shadow of [...witness.shadows.values()]) {
        const processes = living();
        if (processes.length > 0 && shadow.damaged && !shadow.deleted)
          await this.steer(shadow, { kind: 'cancel', compensate: false }, processes[0], shadow.planned.id);
        if (processes.length === 0 || isDone(shadow) || shadow.record === null) continue;
        const { status, ownerId } = shadow.record;
        const owner = processes.find(({ name }) => witness.ownerIdOf(name) === ownerId) ?? processes[0];
        if (status === 'paused' || status === 'running')
          await this.steer(shadow, { kind: 'resume' }, owner, shadow.planned.id);
        await this.answerAll(shadow, owner);
      }
      await timeline.sleep(1_000);
    }
  }

  private async answerAll(shadow: Shadow, process: Process): Promise<void> {
    const { id, workflow } = shadow.planned;
    if (!workflow.spec.nodes.some((_, node) => shadow.isWait(node))) return;
    for (const nodeId of await this.openReviews(shadow, process))
      await this.review(shadow, nodeId, approves(shadow.planned, nodeId), process);
    const document = await this.answered(process, `get ${id}`, ({ runtime }) => runtime!.get(id));
    for (const { metadata, status } of Object.values(document?.node_states ?? {})) {
      const wait = metadata.waiting_for as { signal?: string } | undefined;
      if (status === 'running' && wait?.signal !== undefined)
        await this.signal(shadow, wait.signal, true, process);
    }
  }

  private async openReviews({ planned }: Shadow, process: Process): Promise<readonly string[]> {
    const { id } = planned;
    const page = await this.answered(process, `reviews ${id}`, ({ runtime }) =>
      runtime!.reviews({ executionId: id }),
    );
    return page?.reviews.map(({ node_id }) => node_id) ?? [];
  }

  private async signal(shadow: Shadow, name: string, hasId: boolean, process: Process): Promise<void> {
    const { id, workflow } = shadow.planned;
    if (!workflow.spec.nodes.some(({ wait_for }) => wait_for?.signal === name)) return;
    const payload = `s${++this.said}`;
    shadow.answers.says(JSON.stringify(payload), name);
    const told = await this.answered(process, `signal ${id} ${name} ${payload}`, async ({ runtime }) => {
      await runtime!.signal(id, name, payload, hasId ? { signalId: payload } : {});
      return true;
    });
    if (told === true) this.host.witness.watch(() => shadow.answers.toldSignal(JSON.stringify(payload)));
  }

  private async review(shadow: Shadow, nodeId: string, approve: boolean, process: Process): Promise<void> {
    const { id } = shadow.planned;
    const reviewer = `r${++this.said}`;
    const decision = approve ? 'approve' : 'reject';
    shadow.answers.decides(reviewer, shadow.plan.indexOf.get(nodeId)!, decision);
    const told = await this.answered(process, `review ${id} ${nodeId} ${reviewer} ${decision}`, async (p) => {
      await p.runtime!.review(id, nodeId, { decision, reviewer });
      return true;
    });
    if (told === true) this.host.witness.watch(() => shadow.answers.toldDecision(reviewer));
  }

  private async rerun(shadow: Shadow, pick: number, cascade: boolean, process: Process): Promise<void> {
    const { id } = shadow.planned;
    const { leaf } = shadow.state.columns;
    const all = shadow.plan.ids;
    // Mostly a node that has run.
    const begun = all.filter((_, node) => leaf[node] !== 0);
    const nodeId = (begun.length > 0 ? begun : all)[pick % (begun.length || all.length)];
    shadow.againAsked = true;
    shadow.disturbed = true;
    const handle = await this.answered(process, `rerun ${id} ${nodeId}`, ({ runtime }) =>
      runtime!.rerun(id, nodeId, { cascade }),
    );
    if (handle !== undefined) this.listen(id, process, handle.result);
  }

  private async fork(source: Shadow, picks: readonly number[], process: Process): Promise<void> {
    const { ids } = source.plan;
    if (source.deleted || source.record === null) return;
    const id = `f${this.forks++}`;
    const from = [...new Set(picks.map((pick) => pick % source.plan.fixedCount))];
    const shadow = this.host.witness.expectFork({ ...source.planned, id }, source, from);
    const what = `fork ${source.planned.id} ${id}`;
    const handle = await this.answered(process, what, ({ runtime }) =>
      runtime!.fork(source.planned.id, { from: from.map((node) => ids[node]), executionId: id }),
    );
    if (handle === undefined) return;
    this.listen(id, process, handle.result);
    const { witness, scenario } = this.host;
    if (scenario.durability !== 'exit' && shadow.record === null && !shadow.damaged)
      witness.fail('DURABLE_BEFORE_TOLD', `${id} was forked but is not stored`);
  }

  private async delete(shadow: Shadow, force: boolean, process: Process): Promise<void> {
    const { id } = shadow.planned;
    if (force) shadow.forced = true;
    const told = await this.answered(process, `delete ${id}`, ({ runtime }) =>
      runtime!.delete(id, { force }),
    );
    const isThere = told === true && !shadow.deleted && !shadow.damaged;
    if (isThere) this.host.witness.fail('DELETED_IS_GONE', `${id} was told as deleted, and is there`);
  }

  private async steer(
    shadow: Shadow,
    asked: Asked & { kind: 'pause' | 'resume' | 'cancel' | 'retry' },
    process: Process,
    id: string,
  ): Promise<void> {
    const { kind } = asked;
    const compensate = kind === 'cancel' && asked.compensate;
    if (kind === 'retry') shadow.againAsked = true;
    if (kind === 'cancel' || kind === 'retry') shadow.disturbed = true;
    if (compensate) shadow.compensationAsked = true;
    const what = `${kind} ${id}${compensate ? ' with compensation' : ''}`;
    const handle = await this.answered(process, what, async ({ runtime }) => {
      if (kind === 'resume' || kind === 'retry') return runtime![kind](id);
      if (kind === 'cancel') await runtime!.cancel(id, undefined, { compensate });
      else await runtime!.pause(id);
      return undefined;
    });
    if (handle !== undefined) this.listen(id, process, handle.result);
  }

  /** What a process answers; undefined for an error that may be. */
  private async answered<T>(
    process: Process,
    what: string,
    work: (process: Process) => Promise<T>,
  ): Promise<T | undefined> {
    this.host.note(`${process.name} is asked: ${what}`);
    this.open++;
    try {
      const answer = await lasting(process, work(process));
      this.host.note(`${process.name} did: ${what}`);
      return answer;
    } catch (error) {
      this.host.judge(what, error);
      return undefined;
    } finally {
      this.open--;
    }
  }

  private listen(id: string, process: Process, result: Promise<{ status: string }>): void {
    const { witness, note } = this.host;
    result.then(
      ({ status }) => {
        if (!process.alive) return;
        note(`${process.name} result ${id} ${status}`);
        witness.acknowledged(id, status);
      },
      () => {},
    );
  }
}

/** The dead get no answer, and give none. */
export function lasting<T>(process: Process, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(
      (value) => process.alive && resolve(value),
      (error: unknown) => process.alive && reject(error as Error),
    );
    void process.dead.then(() => {
      reject(new MaestroError('RUNTIME_DIED', 'the process died'));
    });
  });
}
