import { openEnvironment } from '../../src/store/lmdb-environment.js';
import { LmdbKv } from '../../src/store/lmdb-kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { kvContract } from '../contracts/kv.contract.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-kv');

kvContract('memory', () => Promise.resolve(new MemoryKv()));
kvContract('lmdb', () => Promise.resolve(new LmdbKv(openEnvironment(tempDir()))));
