/* Of the built package, also what it does not export: what the campaigns reach for directly. */
export * from '../../dist/src/runtime/index.js';
export { createService } from '../../dist/src/server/index.js';
export { runCommandLine } from '../../dist/src/cli/program.js';
export { compileCondition } from '../../dist/src/policy/condition.js';
export { decodeChunk, encodeChunk } from '../../dist/src/store/checkpoint-codec.js';
export { seal, unseal } from '../../dist/src/store/envelope.js';
export { decodeJournalRecord, encodeJournalRecord } from '../../dist/src/store/journal-codec.js';
export { safeFolder } from '../../dist/src/base/safe-folder.js';
