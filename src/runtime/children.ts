import { atMost, type CancelTimer } from '../base/clock.js';
import { isMaestroError, MaestroError, toErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { ChildEffect, ChildEnd } from '../engine/effects.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { childWorkflowOf } from '../spec/index.js';
import { childRow } from '../store/children.js';
import type { ExecutionRecord } from '../store/types.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { outputText } from '../supervisor/outputs.js';
import { restoreState } from '../supervisor/restore.js';
import { outcomeOf, type EndedChild } from './child-outcome.js';
import { isChildOf, linkOf, parentLink, parentOf, type ChildLink, type ParentLink } from './child-links.js';
import { childContext } from './child-context.js';
import { OneByOne } from './one-by-one.js';
import { newRecord } from './records.js';
import { readState } from './reader.js';
import type { Steering } from './steering.js';

/** How often a child is looked at that another process runs, or nobody. */
const LOOK_MS = 1_000;
/** How often one is looked at that stops. */
const STOPPING_LOOK_MS = 100;

/**
 * The executions that subworkflow nodes of executions here wait for. A child is an execution like any other, under an id
 * that follows from its parent: it is started once, whatever crashes, and is found again. Its end is told by its own
 * process; what is told twice, or too late, changes nothing.
 */
export class Children {
  /** Who waits here for which child. */
  private readonly open = new Map<string, ChildLink>();
  /** One node's children one after another: a new run begins when the child of the last one has stopped. */
  private readonly byNode = new OneByOne();
  private readonly underWay = new Set<Promise<void>>();
  /** The same by the parent whose children it is about. */
  private readonly ofParent = new Map<string, Set<Promise<void>>>();
  /** Ends the waits for children that stop. */
  private readonly closings = new Set<() => void>();
  private stopTimer: CancelTimer | null = null;
  private closed = false;

  constructor(private readonly steering: Steering) {}

  /** What the engine of an execution here asks, once that is durable. */
  act(parent: ActiveExecution, effect: ChildEffect): void {
    const link = linkOf(parent, effect.node, effect.key);
    if (effect.kind === 'child') {
      if (parent.released) return;
      this.open.set(link.id, link);
      this.run(link, () => this.begin(link));
      return;
    }
    // One that is not wanted any more is not begun either.
    if (effect.what === 'cancel') this.open.delete(link.id);
    this.run(link, () => this.steer(link, effect.what));
  }

  /** An execution here has come to rest. */
  atRest(child: ActiveExecution): void {
    const link = this.open.get(child.id);
    if (link === undefined) return;
    if (!child.isEnded) return this.lookLater();
    const { store } = this.steering.host;
    const { definition, record, globalContext, engine, unsavedOutputs: unsaved } = child;
    const { state } = engine;
    const source = { executionId: child.id, ids: definition.plan.ids, columns: state.columns, unsaved };
    const text = (node: number): Promise<string> => outputText(store, source, node);
    this.run(link, () => this.report(link, { record, definition, state, globalContext, outputText: text }));
  }

  /** An execution could not be brought into memory. */
  lost(executionId: string, error: unknown): void {
    const link = this.open.get(executionId);
    if (link !== undefined) this.tell(link, { error: toErrorDocument(error) });
  }

  /**
   * A child that was interrupted goes on here. What became of its parent meanwhile it has perhaps not heard.
   * @see ChildLink
   */
  recovered(record: ExecutionRecord): void {
    const parent = parentOf(record);
    if (parent === undefined) return;
    const work = this.followParent(record.executionId, parent).catch((error: unknown) => {
      if (isLate(error)) return;
      // It goes on by itself: whether it is still wanted nobody can say.
      const { logger } = this.steering.host.settings;
      const about = { execution_id: record.executionId, parent_id: parent.execution_id, err: error };
      logger.warn(about, 'what its parent waits for cannot be read');
    });
    this.track(work);
  }

  /**
   * Resolves when what was asked of the children of an execution, and of theirs, is durable; of those that another process
   * runs, that it is asked.
   */
  async asked(executionId: string): Promise<void> {
    await this.doneFor(executionId);
    for (const child of await this.childrenOf(executionId)) await this.asked(child);
  }

  /**
   * Resolves when all children of an execution, and theirs, have ended, and their last steps with them; never once this
   * runtime closes. One that nobody runs is cancelled.
   */
  async stopped(executionId: string): Promise<void> {
    await this.doneFor(executionId);
    for (const child of await this.childrenOf(executionId)) {
      while (!(await this.hasStopped(child))) await this.rest();
      await this.stopped(child);
    }
  }

  /** Resolves when nothing is under way for the children of an execution. */
  async doneFor(executionId: string): Promise<void> {
    for (let works = this.ofParent.get(executionId); works; works = this.ofParent.get(executionId))
      await Promise.all(works);
  }

  /** Nothing more is started. */
  close(): void {
    this.closed = true;
    this.stopTimer?.();
    for (const stop of this.closings) stop();
  }

  /** Something was begun and is not done. */
  get isBusy(): boolean {
    return this.underWay.size > 0;
  }

  /** Resolves when what was begun is done, after this time at the latest. */
  settle(withinMs: number): Promise<void> {
    return atMost(this.steering.host.settings.clock, withinMs, this.done());
  }

  private async done(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private run(link: ChildLink, work: () => Promise<void>): void {
    const inTurn = this.byNode.run(`${link.parent.id}/${link.node}`, work).catch((error: unknown) => {
      if (!this.closed) this.tell(link, { error: toErrorDocument(error) });
    });
    this.track(inTurn);
    const { id } = link.parent;
    const works = this.ofParent.get(id) ?? new Set<Promise<void>>();
    this.ofParent.set(id, works.add(inTurn));
    void inTurn.finally(() => {
      works.delete(inTurn);
      if (works.size === 0 && this.ofParent.get(id) === works) this.ofParent.delete(id);
    });
  }

  private track(work: Promise<void>): void {
    this.underWay.add(work);
    void work.finally(() => this.underWay.delete(work));
  }

  private async begin(link: ChildLink): Promise<void> {
    if (this.closed || !this.isOpen(link)) return;
    const { store, supervisor } = this.steering.host;
    await supervisor.whenGone(link.id);
    const record = await store.getRecord(link.id);
    if (record === undefined) return this.start(link);
    if (!isChildOf(record, link)) throw taken(link);
    await this.attend(link, record);
  }

  /** @throws CONDITION_FAILED, CONTEXT_INVALID, EXECUTOR_MISSING */
  private async start(link: ChildLink): Promise<void> {
    const { store, settings, ownership } = this.steering.host;
    const { parent, node } = link;
    const spec = parent.definition.nodeSpec(node);
    const workflow = childWorkflowOf(parent.definition.workflow, spec)!;
    const context = await childContext(parent, node, workflow, (of) => this.outputText(parent, of));
    const { mode, durability, options } = parent.record;
    const fresh = newRecord(workflow, { executionId: link.id, mode }, settings, ownership.self.ownerId);
    const inherited = { retries: options.retries, parent: parentLink(link) };
    const record = { ...fresh, durability, options: { ...fresh.options, ...inherited } };
    const ops = [
      ...store.create(record, workflow.spec, context),
      store.putFurtherRow(parent.id, childRow(node, link.key, link.id)),
    ];
    try {
      await this.steering.startStored(record, ops, { workflow });
    } catch (error) {
      if (!isMaestroError(error, 'EXECUTION_EXISTS')) throw error;
      await this.begin(link);
    }
  }

  /** The child is there: it has ended, or runs here, elsewhere, or nowhere, and then it goes on here if its parent does. */
  private async attend(link: ChildLink, record: ExecutionRecord): Promise<void> {
    const { residents, ownership } = this.steering.host;
    if (isWorkflowStatusEnded(record.status)) return this.reportStored(link);
    if (residents.isHere(link.id)) return;
    try {
      // With its parent it is paused; and who only ends or pauses a parent may not know its functions.
      if (link.parent.engine.state.workflowLeaf !== 'running') return;
      if ((await ownership.holder(record.ownerId)) !== undefined) return;
      const workflow = childWorkflowOf(
        link.parent.definition.workflow,
        link.parent.definition.nodeSpec(link.node),
      );
      await this.steering.resume(link.id, { workflow });
    } catch (error) {
      // Somebody else was faster.
      ignoreLate(error);
    } finally {
      this.lookLater();
    }
  }

  private async steer({ id }: ChildLink, what: 'cancel' | 'pause' | 'resume'): Promise<void> {
    try {
      if (what === 'cancel') {
        await this.steering.cancel(id, 'its parent does not wait for it any more');
        await this.steering.host.supervisor.whenGone(id);
      } else if (what === 'pause') await this.steering.pause(id);
      else await this.steering.resume(id);
    } catch (error) {
      ignoreLate(error);
    }
  }

  private async reportStored(link: ChildLink): Promise<void> {
    const { store, definitions } = this.steering.host;
    const stored = await store.load(link.id);
    if (stored === undefined) return;
    const { record, spec, globalContext } = stored;
    const definition = definitions.plain(record, spec);
    const { state } = await restoreState(store, stored, definition.plan);
    const source = { executionId: link.id, ids: definition.plan.ids, columns: state.columns };
    const text = (node: number): Promise<string> => outputText(store, source, node);
    await this.report(link, { record, definition, state, globalContext, outputText: text });
  }

  private async report(link: ChildLink, child: EndedChild): Promise<void> {
    if (!this.isOpen(link)) return;
    const { output } = link.parent.definition.nodeSpec(link.node);
    this.tell(link, await outcomeOf(child, output));
  }

  private tell(link: ChildLink, outcome: ChildEnd['outcome']): void {
    if (!this.isOpen(link)) return;
    this.open.delete(link.id);
    const { parent, node, key } = link;
    if (parent.released) return;
    this.steering.host.supervisor.request(parent, { type: 'childEnded', node, key, outcome }).catch(() => {});
  }

  private isOpen(link: ChildLink): boolean {
    return this.open.get(link.id) === link;
  }

  private lookLater(): void {
    if (this.closed) return;
    this.stopTimer ??= this.steering.host.settings.clock.setTimer(LOOK_MS, () => {
      this.stopTimer = null;
      for (const link of this.open.values()) {
        if (link.parent.released) this.open.delete(link.id);
        else if (!this.steering.host.residents.isHere(link.id)) this.run(link, () => this.begin(link));
      }
    });
  }

  private childrenOf(executionId: string): Promise<string[]> {
    return this.steering.host.store.children(executionId);
  }

  private async hasStopped(executionId: string): Promise<boolean> {
    const { supervisor, store, ownership, residents } = this.steering.host;
    await supervisor.whenGone(executionId);
    const record = await store.getRecord(executionId);
    if (record === undefined) return true;
    const isHeld = residents.isHere(executionId) || (await ownership.holder(record.ownerId)) !== undefined;
    if (isWorkflowStatusEnded(record.status)) return !isHeld;
    if (!isHeld)
      await this.steering.cancel(executionId, 'its parent does not wait for it any more').catch(ignoreLate);
    return false;
  }

  private rest(): Promise<void> {
    return new Promise((over) => {
      if (this.closed) return;
      const stop = this.steering.host.settings.clock.setTimer(STOPPING_LOOK_MS, () => {
        this.closings.delete(stop);
        over();
      });
      this.closings.add(stop);
    });
  }

  private async followParent(
    id: string,
    { execution_id: parentId, node_id, key }: ParentLink,
  ): Promise<void> {
    const { store, supervisor, definitions } = this.steering.host;
    const record = await store.getRecord(parentId);
    if (record !== undefined && !isWorkflowStatusEnded(record.status)) {
      const live = supervisor.active.get(parentId)?.engine.state;
      const state = live ?? (await readState(store, definitions, parentId));
      if (state !== undefined && !isPast(state, node_id, key)) {
        if (record.status === 'paused') await this.steering.pause(id);
        return;
      }
    }
    await this.steering.cancel(id, 'its parent does not wait for it any more');
  }

  private outputText(parent: ActiveExecution, node: number): Promise<string> {
    return this.steering.host.supervisor.jobs.outputText(parent, node);
  }
}

/** Whether a node has done with this attempt: it has ended, or a later one has begun. What was lost may come again. */
function isPast({ columns, plan }: ExecutionState, nodeId: string, key: string): boolean {
  const node = plan.indexOf.get(nodeId);
  if (node === undefined) return true;
  const [run, attempt] = key.split('.').map(Number);
  if (columns.run[node] !== run) return columns.run[node] > run;
  if (columns.attempt[node] !== attempt) return columns.attempt[node] > attempt;
  return columns.waits.get(node)?.signal !== key;
}

function taken({ id, parent, node }: ChildLink): MaestroError {
  const nodeId = parent.definition.plan.ids[node];
  return new MaestroError(
    'EXECUTION_EXISTS',
    `node "${nodeId}" would start execution ${id}, but there is one of this id that it did not start`,
  );
}

/** It has ended, moved or changed at this moment: whoever waits for it looks again. */
function isLate(error: unknown): boolean {
  const late = [
    'EXECUTION_STATE',
    'EXECUTION_NOT_FOUND',
    'EXECUTION_OWNED',
    'STORE_CONFLICT',
    'RUNTIME_CLOSED',
  ] as const;
  return late.some((code) => isMaestroError(error, code));
}

function ignoreLate(error: unknown): void {
  if (!isLate(error)) throw error;
}
