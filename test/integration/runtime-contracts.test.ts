import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  type ContractSpec,
  type ExecutionEvent,
  type Workflow,
} from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { buryOwners, crashing, simulate, type Fate } from '../support/simulation.js';
import { toEnd } from '../support/to-end.js';
import { collect, runtimes, storeKinds } from './support/runtimes.js';

const open = runtimes();
const prices: ContractSpec = {
  id: 'prices',
  version: '1',
  schema: { type: 'object', required: ['cents'], properties: { cents: { type: 'integer' } } },
};
const polite: ContractSpec = { id: 'polite', severity: 'warning', schema: { required: ['please'] } };

interface Made {
  list: (attempt: number) => unknown;
  attempts?: number;
}

function workflow({ list, attempts = 1 }: Made): Workflow {
  return defineWorkflow({ id: 'w', contracts: [prices, polite] })
    .node('list', {
      retry: { maxAttempts: attempts, delaySeconds: 0 },
      outputContracts: ['prices', 'polite'],
      execute: ({ attempt }) => list(attempt),
    })
    .node('sum', { dependsOn: ['list'], inputContracts: ['prices', 'polite'], execute: () => 1 })
    .build();
}

describe.each(storeKinds())('contracts, on %s', (_, create) => {
  it('are verified or warned of, with evidence in the document and in events, also after a restart', async () => {
    const place = create();
    const runtime = await open({ store: place() });
    const { id, result } = await runtime.start(workflow({ list: () => ({ cents: 5 }) }));
    expect((await result).status).toBe('completed');
    await runtime.close();
    const again = await open({ store: place() });
    const document = (await again.get(id))!;
    expect(document.contracts).toEqual([
      { contract: 'prices', version: '1', severity: 'blocking', status: 'verified', promised_by: ['list'] },
      { contract: 'polite', severity: 'warning', status: 'verified_with_warnings', promised_by: ['list'] },
    ]);
    expect(document.node_states.list.metadata.contracts).toMatchObject([
      { contract: 'prices', status: 'verified' },
      {
        contract: 'polite',
        status: 'verified_with_warnings',
        problems: [{ path: '', value: '{"cents":5}' }],
      },
    ]);
    const told = (await collect(again.events(id))).map(
      ({ event_type, node_id }) => `${event_type} ${node_id}`,
    );
    expect(told).toEqual(expect.arrayContaining(['contract_verified list', 'contract_breached list']));
    expect(told.indexOf('contract_verified list')).toBeLessThan(told.indexOf('node_completed list'));
    const fork = await again.fork(id, { from: ['sum'], workflow: workflow({ list: () => 0 }) });
    expect((await fork.result).status).toBe('completed');
    expect((await again.get(fork.id))!.contracts).toEqual(document.contracts);
  });

  it('fail the attempt that breaches one; a retry may keep it', async () => {
    const runtime = await open({ store: create()() });
    const shaky = workflow({
      list: (attempt) => (attempt === 1 ? { cents: 'x' } : { cents: 1 }),
      attempts: 2,
    });
    const first = await runtime.start(shaky);
    expect((await first.result).status).toBe('completed');
    const events: ExecutionEvent[] = await collect(runtime.events(first.id));
    const failed = events.find(({ event_type }) => event_type === 'node_failed')!;
    expect(failed.data).toMatchObject({
      error: 'node "list" breached contract "prices" at /cents: cents must be integer, but is "x"',
      error_code: 'CONTRACT_BREACHED',
      will_retry: true,
    });
    const second = await runtime.start(workflow({ list: () => ({ cents: 'x' }) }));
    const { status, error } = await second.result;
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'CONTRACT_BREACHED' });
    expect(error?.details).toMatchObject({
      contracts: [{ contract: 'prices', problems: [{ path: '/cents', value: '"x"' }] }],
    });
    const document = (await runtime.get(second.id))!;
    expect(document.node_states.sum.status).toBe('blocked');
    expect(document.contracts).toMatchObject([{ status: 'breached' }, { status: 'accepted' }]);
  });

  it('hold for large outputs and for what waits brought', async () => {
    const runtime = await open({ store: create()() });
    const large = await runtime.start(workflow({ list: () => ({ cents: 0.5, pad: 'x'.repeat(100_000) }) }));
    expect((await large.result).error?.code).toBe('CONTRACT_BREACHED');
    const waits = defineWorkflow({ id: 'waits', contracts: [prices] })
      .node('asked', { waitFor: { signal: 'go' }, outputContracts: ['prices'] })
      .build();
    for (const [payload, status] of [
      [{ cents: 1 }, 'completed'],
      [{ cents: '1' }, 'failed'],
    ] as const) {
      const execution = await runtime.start(waits);
      await runtime.signal(execution.id, 'go', payload);
      expect((await execution.result).status).toBe(status);
    }
  });

  it('gate a node whose rule would let it run without the promise', async () => {
    const runtime = await open({ store: create()() });
    let ran = 0;
    const gated = defineWorkflow({ id: 'gated', contracts: [prices], onFailure: 'continue' })
      .node('list', { outputContracts: ['prices'], execute: () => ({}) })
      .node('sum', {
        dependsOn: ['list'],
        triggerRule: 'all_done',
        inputContracts: ['prices'],
        execute: () => ++ran,
      })
      .build();
    const execution = await runtime.start(gated);
    expect((await execution.result).status).toBe('failed');
    const { sum } = (await runtime.get(execution.id))!.node_states;
    expect(sum).toMatchObject({
      status: 'failed',
      error_message: 'node "sum" does not run: its input contract "prices" is breached, not verified',
    });
    expect(ran).toBe(0);
  });
});

describe('contracts and a process that dies', () => {
  const fateOf = (nodeId: string, attempt: number): Fate => ({
    outcome: 'ok',
    durationMs: 10,
    output: nodeId === 'list' && attempt === 1 ? '{}' : '{"cents":1}',
  });
  const given = {
    seed: 1,
    workflows: [workflow({ list: () => null, attempts: 2 })],
    fateOf,
    slots: 2,
    lossRate: 0,
  };

  it('end alike after a crash at every commit', async () => {
    let commits = 0;
    for (let isOver = false; !isOver; commits++) {
      for (const applyLast of [false, true]) {
        const kv = new MemoryKv();
        const dying = crashing(kv, commits, applyLast);
        const first = await Promise.race([dying.dead, simulate(dying, given)]);
        if (first === undefined) continue;
        const live = (async () => {
          await (
            await first.runtime.start(given.workflows[0], {}, { executionId: 'e' })
          ).result;
          isOver = true;
        })();
        await first.clock.run(Promise.race([dying.dead, live]));
        await buryOwners(kv);
        const second = await simulate(kv, given);
        await second.runtime.recoverInterrupted();
        const known = await second.runtime.get('e');
        if (known === undefined) continue;
        if (known.status === 'running' || known.status === 'pending')
          await second.clock.run(toEnd(second.runtime));
        const document = (await second.runtime.get('e'))!;
        expect(document.status).toBe('completed');
        expect(document.contracts).toMatchObject([
          { status: 'verified' },
          { status: 'verified_with_warnings' },
        ]);
        expect(document.node_states.list.attempt_count).toBe(2);
      }
    }
    expect(commits).toBeGreaterThan(4);
  });
});
