import { openEnvironment } from '../../src/store/lmdb-environment.js';
import { LmdbKv } from '../../src/store/lmdb-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { executionListingContract } from '../contracts/execution-listing.contract.js';
import { schedulesContract } from '../contracts/schedules.contract.js';
import { executionStoreContract } from '../contracts/execution-store.contract.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-store');

for (const contract of [executionStoreContract, executionListingContract, schedulesContract]) {
  contract('memory', () => Promise.resolve(new MemoryKv()));
  contract('lmdb', () => Promise.resolve(new LmdbKv(openEnvironment(tempDir()))));
}
