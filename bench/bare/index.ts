import { inFolder } from '../folder.js';
import { warmSecondsOf, type Pace } from '../measure.js';
import type { StepConfig } from '../step.js';
import type { BenchCase } from '../types.js';
import { benchGraph } from '../workloads.js';
import { Crew } from './crew.js';
import { Disk } from './disk.js';
import { BareLoop } from './loop.js';
import { NoDisk, OwnThread } from './memory.js';
import type { BareResults } from './protocol.js';

/**
 * Nodes per second of the same graph in a loop of the runtime's design that does the least it can: see BareLoop. The distance
 * to it is what everything else costs that a runtime does. Inline or on threads, in memory or on LMDB, with steps that do nothing,
 * whatever the case says.
 */
export async function barePerSecond(each: BenchCase, pace: Pace): Promise<number> {
  const { executions, dependencies } = await benchGraph(each);
  const { durability, pool, store, workers, payloadBytes } = each;
  const config = JSON.stringify({ body: { kind: 'noop' }, payloadBytes } satisfies StepConfig);
  return inFolder(async (folder) => {
    const disk = store === 'memory' ? new NoDisk() : new Disk(folder);
    const told = (results: BareResults): void => loop.take(results);
    const crew = pool === 'inline' ? new OwnThread(config, told) : new Crew(workers, config, told);
    const loop = new BareLoop(dependencies, durability === 'sync', disk, (steps) => crew.run(steps));
    try {
      const all = () => Promise.all(Array.from({ length: executions }, () => loop.execute()));
      return (executions * dependencies.length) / (await warmSecondsOf(all, pace));
    } finally {
      await crew.close();
      await disk.close();
    }
  });
}
