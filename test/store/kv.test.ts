import { openLmdb } from '../../src/store/lmdb-open.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { kvContract } from '../contracts/kv.contract.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-kv');

kvContract('memory', () => Promise.resolve(new MemoryKv()));
kvContract('lmdb', () => openLmdb(tempDir()));
