import { openEnvironment } from '../../src/store/lmdb-environment.js';
import { LmdbKv } from '../../src/store/lmdb-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { executionStoreContract } from '../contracts/execution-store.contract.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-store');

executionStoreContract('memory', () => Promise.resolve(new MemoryKv()));
executionStoreContract('lmdb', () => Promise.resolve(new LmdbKv(openEnvironment(tempDir()))));
