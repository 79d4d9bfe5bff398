import { isMaestroError } from '../../src/base/errors.js';
import { Definitions } from '../../src/runtime/definitions.js';
import { systemClock } from '../../src/base/clock.js';
import { History } from '../../src/runtime/history.js';
import { readDocument } from '../../src/runtime/reader.js';
import { replayDocument } from '../../src/runtime/replay.js';
import { statusOfLeaf } from '../../src/engine/columns.js';
import type { NodeStatus } from '../../src/base/model.js';
import type { Kv } from '../../src/store/kv.js';
import { deletionKey, executionPrefix, under } from '../../src/store/keys.js';
import { KvExecutionStore } from '../../src/store/execution-store.js';
import { verifyStore } from '../../src/snapshot/verify.js';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import { expectedStatuses, isForetold } from './model.js';
import type { Scenario } from './scenario.js';
import type { Shadow } from './shadow.js';
import { asksOf, wrongEnd } from './triggers.js';
import { demand, Violation } from './violation.js';
import type { Witness } from './witness.js';

/** Reads everything back when all is over: it must be what was written, told and promised. */
export async function checkEnd(kv: Kv, scenario: Scenario, witness: Witness): Promise<void> {
  const store = new KvExecutionStore(kv);
  const definitions = new Definitions(scenario.executions.map(({ workflow }) => workflow));
  const history = new History({ store, definitions, clock: systemClock, isHere: () => true });
  try {
    for (const shadow of witness.shadows.values()) {
      const { id } = shadow.planned;
      try {
        const document = await readDocument(store, definitions, id, {
          live: undefined,
          isInterrupted: () => Promise.resolve(false),
        });
        if (shadow.damaged) continue;
        if (shadow.deleted || shadow.record === null) {
          demand(document === undefined, 'DELETED_IS_GONE', `${id} is there again`);
          continue;
        }
        demand(document !== undefined, 'NOTHING_LOST', `${id} is not stored`);
        const replayed = await replayDocument(store, definitions, id, undefined);
        checkDocument(shadow, document, replayed);
        checkTriggers(shadow, document);
        if (!shadow.disturbed && shadow.planned.failureMode === 'continue' && isForetold(shadow.planned))
          checkModel(shadow, document);
        const stored = new Map<string, string>();
        for await (const event of history.events(id))
          stored.set(`${id}/${event.event_id}`, JSON.stringify(event));
        for (const [key, event] of witness.told) {
          if (!key.startsWith(`${id}/`)) continue;
          demand(
            stored.get(key) === JSON.stringify(event),
            'TOLD_IS_STORED',
            `${key} was told, and is not stored so`,
          );
        }
      } catch (error) {
        if (shadow.damaged && isMaestroError(error, 'RECORD_CORRUPT')) continue;
        throw error;
      }
    }
    if ([...witness.shadows.values()].some(({ damaged }) => damaged)) return;
    const { damage } = await verifyStore(store);
    demand(damage.length === 0, 'STORE_VERIFIES', JSON.stringify(damage));
    const counts = await store.countByStatus();
    const total = Object.values(counts).reduce((a, b) => a + b, 0);
    const there = [...witness.shadows.values()].filter(({ deleted, record }) => !deleted && record !== null);
    demand(total === there.length, 'COUNTS_AGREE', `the index has ${JSON.stringify(counts)}`);
    await checkDeleted(kv, witness);
  } catch (error) {
    if (error instanceof Violation) witness.fail(error.code, error.message);
    else witness.fail('READS', String((error as Error).stack));
  }
}

/** Nothing is left of what was deleted, unless a crash interrupted that: then a mark says so, for the next opening. */
async function checkDeleted(kv: Kv, witness: Witness): Promise<void> {
  for (const { deleted, planned } of witness.shadows.values()) {
    if (!deleted || (await kv.get(deletionKey(planned.id))) !== undefined) continue;
    for await (const key of kv.keys(under(executionPrefix(planned.id))))
      demand(false, 'DELETED_IS_GONE', `${key} is left of what was deleted`);
  }
}

/** What is shown = what a replay of the journal gives = what was on disk, commit by commit. */
function checkDocument(shadow: Shadow, document: ExecutionDocument, replayed: ExecutionDocument): void {
  const { id } = shadow.planned;
  // Which executions its nodes have started no journal says.
  const essence = ({ status, node_states, node_outputs, completed_nodes }: ExecutionDocument): string =>
    JSON.stringify({ status, node_states, node_outputs, completed_nodes }, (key, value: unknown) =>
      key === 'child' ? undefined : value,
    );
  demand(
    essence(document) === essence(replayed),
    'STATE_IS_REPLAY',
    `${id}: what is shown is not what was journaled`,
  );
  const { leaf } = shadow.state.columns;
  shadow.plan.ids.slice(0, shadow.plan.fixedCount).forEach((nodeId, node) => {
    const { status } = document.node_states[nodeId];
    const seen = statusOfLeaf(leaf[node]);
    demand(
      status === seen,
      'STATE_IS_REPLAY',
      `${id}: ${nodeId} is shown as ${status}, committed was ${seen}`,
    );
  });
}

/** Each node's end follows from those of its dependencies. */
function checkTriggers(shadow: Shadow, document: ExecutionDocument): void {
  const bad = new Set<NodeStatus>(['failed', 'blocked', 'cancelled']);
  const cancelled = document.status === 'cancelled';
  shadow.plan.ids.slice(0, shadow.plan.fixedCount).forEach((nodeId, node) => {
    if (shadow.isCompensation(node)) return;
    const { status } = document.node_states[nodeId];
    const before = shadow.dependenciesOf(node).map((from): NodeStatus => {
      const own = document.node_states[shadow.plan.ids[from]].status;
      // An edge that was not taken leads to what was skipped, as its target sees it.
      return own === 'completed' && shadow.hasCome(from, node) === false ? 'skipped' : own;
    });
    const what = `${shadow.planned.id} (${document.status}): ${nodeId} is ${status} after [${before.join()}]`;
    const open = ['pending', 'ready', 'running'].includes(status);
    const halted = document.status === 'failed' && shadow.planned.failureMode === 'fail_fast';
    if (open) demand(halted && status !== 'running', 'TRIGGERS', what);
    // A rerun without cascade leaves what depends on the node as it is, and says so.
    if (shadow.state.isOutdated(node)) return;
    const asks = asksOf(shadow.specOf(node));
    if (asks !== undefined) {
      const wrong = wrongEnd(shadow, node, asks);
      demand(wrong === null, 'TRIGGERS', `${what}: it ${wrong ?? ''}`);
      return;
    }
    const isGroup = shadow.plan.groups.has(node);
    const mayBe: readonly NodeStatus[] = isGroup ? ['completed', 'skipped'] : ['completed'];
    if (status === 'completed')
      demand(
        before.every((each) => mayBe.includes(each)),
        'TRIGGERS',
        what,
      );
    if (status === 'blocked')
      demand(
        before.some((each) => bad.has(each)),
        'TRIGGERS',
        what,
      );
    const ends = shadow.specOf(shadow.plan.groupOf.get(node) ?? node).on_member_failure === 'cancel';
    const isPart = shadow.timedOut || shadow.plan.mapOf.has(node);
    if (status === 'cancelled') demand(cancelled || shadow.againAsked || ends || isPart, 'TRIGGERS', what);
  });
}

function checkModel(shadow: Shadow, document: ExecutionDocument): void {
  for (const [nodeId, expected] of expectedStatuses(shadow.planned)) {
    const { status } = document.node_states[nodeId];
    const what = `${shadow.planned.id}: ${nodeId} is ${status}; its fates make it ${expected}`;
    demand(status === expected, 'ENDS_AS_FATED', what);
  }
}
