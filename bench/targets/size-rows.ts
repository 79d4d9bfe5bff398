import { join } from 'node:path';
import { casesOf } from '../matrix.js';
import { atMost } from './checks.js';
import { inFolder } from '../folder.js';
import type { Row } from './rows.js';
import type { PendingMemory, StoreUse } from './types.js';

const THREADS = 2;
const WIDTH = 1000;

function least<T>(all: readonly T[], value: (each: T) => number): number {
  return Math.min(...all.map(value));
}

/** What must not grow: with the graph, or with what is stored. */
export const sizeRows: readonly Row[] = [
  {
    row: 'million-cost',
    work: 'cost per node, layered 1,000,000 beside 10,000 (1,000 wide), threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const sizes = meter.size([10_000, 1_000_000], [2000, 20_000]);
      const [small, large] = casesOf({ shapes: ['layered'], nodes: sizes, width: WIDTH, workers: THREADS });
      const { rate: few } = await meter.beside({ ...small, fresh: true });
      const { rate: many, best } = await meter.beside({ ...large, fresh: true });
      return {
        checks: [atMost('cost of a node ÷ that in the small graph', few.best / many.best, 1.3)],
        notes: [
          `${Math.round(1e9 / few.best)} ns a node in the small graph, ${Math.round(1e9 / many.best)} ns in the large one; ` +
            `${Math.round(best.bytes / best.nodes)} bytes written a node`,
          'each run has a definition of its own: to check and store that is in its time',
        ],
      };
    },
  },
  {
    row: 'million-memory',
    work: 'resident memory per pending node, an execution of 1,000,000',
    durability: 'sync',
    async measure(meter) {
      const nodes = meter.size(1_000_000, 20_000);
      const all = await meter.repeated(() =>
        meter.probe<PendingMemory>({ kind: 'pending-memory', nodes }, `memory of ${nodes} pending nodes`),
      );
      return {
        checks: [
          atMost(
            'bytes, of one execution with its plan',
            least(all, (each) => each.first),
            400,
          ),
          atMost(
            'bytes, of five executions with their plan',
            least(all, (each) => each.ofFive),
            400,
          ),
        ],
        notes: [
          `of one execution ${Math.round(least(all, (each) => each.firstAlive))} bytes a node are alive; the process keeps the rest and uses it again`,
          `the definition, as the caller makes it, is ${Math.round(least(all, (each) => each.definition))} bytes a node more`,
        ],
      };
    },
  },
  {
    row: 'stored',
    work: 'open, start and list with 1,000,000 stored executions beside 1,000',
    durability: 'sync',
    measure: (meter) =>
      inFolder(async (folder) => {
        const sizes = meter.size([1000, 1_000_000], [20, 400]);
        const stores = sizes.map((executions) => ({ executions, folder: join(folder, String(executions)) }));
        for (const store of stores)
          await meter.probe({ kind: 'fill-store', ...store }, `storing ${store.executions} executions`);
        const uses = stores.map((): StoreUse[] => []);
        await meter.repeated(async () => {
          for (const [k, store] of stores.entries()) {
            const what = `using a store of ${store.executions} executions`;
            uses[k].push(await meter.probe<StoreUse>({ kind: 'use-store', folder: store.folder }, what));
          }
        });
        const [few, many] = uses;
        const ratio = (value: (each: StoreUse) => number): number => least(many, value) / least(few, value);
        return {
          checks: [
            atMost(
              'opening ÷ that of the small store',
              ratio((each) => each.openMs),
              1.2,
            ),
            atMost(
              'starting ÷ that in the small store',
              ratio((each) => each.startMs),
              1.2,
            ),
            atMost(
              'listing ÷ that in the small store',
              ratio((each) => each.listMs),
              1.2,
            ),
          ],
          notes: uses.map((each, k) => {
            const ms = (value: (use: StoreUse) => number): string => least(each, value).toFixed(2);
            return `with ${sizes[k]}: open ${ms((use) => use.openMs)} ms, start ${ms((use) => use.startMs)} ms, list of 100 ${ms((use) => use.listMs)} ms`;
          }),
        };
      }),
  },
];
