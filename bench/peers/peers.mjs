/**
 * What a user could pick instead: name, package, adapter, and the oldest Node that it, or the SQLite it needs, runs on.
 * A peer with a server is there twice where its usual settings and its durable ones differ.
 */
export const PEERS = [
  {
    peer: 'DBOS',
    package: '@dbos-inc/dbos-sdk',
    adapter: 'dbos',
    durability: 'sync: PostgreSQL, fsync on, a row for each step',
    node: '20.0',
    service: 'postgres',
  },
  {
    peer: 'BullMQ',
    package: 'bullmq',
    adapter: 'bullmq',
    durability: 'Redis: the jobs; which node is ready is only in memory',
    node: '20.0',
    service: 'redis',
    settings: 'default',
  },
  {
    peer: 'BullMQ, fsync',
    package: 'bullmq',
    adapter: 'bullmq',
    durability: 'Redis: the jobs; which node is ready is only in memory',
    node: '20.0',
    service: 'redis',
    settings: 'fsync',
  },
  {
    peer: 'LangGraph',
    package: '@langchain/langgraph',
    adapter: 'langgraph',
    durability:
      'sync: SQLite (node:sqlite), WAL, synchronous=FULL; a row for each node, a checkpoint for each generation',
    node: '22.13',
  },
  {
    peer: 'Mastra',
    package: '@mastra/core',
    adapter: 'mastra',
    durability:
      'libSQL file, WAL, the whole state written after each step but not forced to disk (synchronous=NORMAL)',
    node: '22.13',
  },
  {
    peer: 'OpenWorkflow',
    package: 'openworkflow',
    adapter: 'openworkflow',
    durability: 'sync: SQLite (node:sqlite), WAL, a row for each step',
    node: '22.13',
  },
  {
    peer: 'p-graph',
    package: 'p-graph',
    adapter: 'p-graph',
    durability: 'none: promises in memory',
    node: '20.0',
  },
  {
    peer: 'async.auto',
    package: 'async',
    adapter: 'async-auto',
    durability: 'none: callbacks in memory',
    node: '20.0',
  },
  {
    peer: 'XState',
    package: 'xstate',
    adapter: 'xstate',
    durability: 'none: actors in memory',
    node: '20.0',
  },
];

/** Beside them, this package: where steps run, and what is on disk before the next node starts. */
export const OURS = [
  {
    peer: 'maestro',
    pools: ['threads'],
    durabilities: ['sync'],
    durability: 'sync: LMDB, each commit forced to disk',
  },
  {
    peer: 'maestro, inline',
    pools: ['inline'],
    durabilities: ['sync'],
    durability: 'sync: LMDB, steps in the main thread as the peers have them',
  },
  {
    peer: 'maestro, async',
    pools: ['threads'],
    durabilities: ['async'],
    durability: 'async: LMDB, commits overlap the next nodes',
  },
  {
    peer: 'maestro, memory',
    pools: ['inline'],
    stores: ['memory'],
    durability: 'none: memory, steps in the main thread',
  },
];
