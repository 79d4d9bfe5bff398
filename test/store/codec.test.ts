import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NODE_EVENT_TYPES, WORKFLOW_EVENT_TYPES } from '../../machines/events.js';
import { isMaestroError } from '../../src/base/errors.js';
import { WORKFLOW, type Entry, type WorkflowRow } from '../../src/engine/entries.js';
import { ByteReader } from '../../src/store/byte-reader.js';
import { ByteWriter } from '../../src/store/byte-writer.js';
import { checkpointOps } from '../../src/store/checkpoint.js';
import { decodeChunk, encodeChunk } from '../../src/store/checkpoint-codec.js';
import {
  BASE_VERSION,
  FORMAT_VERSION,
  seal,
  sealJson,
  unseal,
  unsealJson,
} from '../../src/store/envelope.js';
import { decodeJournalRecord, encodeJournalRecord } from '../../src/store/journal-codec.js';
import { anyEntry, anyNumber, anyRow, anyText } from '../support/store-arbitraries.js';

const KEY = 'x/execution/j/000000000007';
const bounded = { numRuns: 150 };

describe('numbers and texts', () => {
  test('come back as they were', () => {
    const w = new ByteWriter();
    const items = fc.array(
      fc.oneof(
        anyNumber,
        anyText,
        fc.maxSafeInteger().map((n) => ({ varint: Math.abs(n) })),
      ),
    );
    fc.assert(
      fc.property(items, (values) => {
        w.reset();
        for (const value of values) {
          if (typeof value === 'number') w.number(value);
          else if (typeof value === 'string') w.string(value);
          else w.varint(value.varint);
        }
        const r = new ByteReader(w.view());
        for (const value of values) {
          if (typeof value === 'number') expect(r.number()).toBe(value);
          else if (typeof value === 'string') expect(r.string()).toBe(value);
          else expect(r.varint()).toBe(value.varint);
        }
        expect(r.remaining).toBe(0);
      }),
    );
  });

  test('a lone surrogate becomes the replacement character', () => {
    const w = new ByteWriter();
    w.string('a\ud800b');
    expect(new ByteReader(w.view()).string()).toBe('a\ufffdb');
  });
});

describe('journal records', () => {
  test('any entries come back as they were', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(anyEntry, { maxLength: 30 }), (sequence, entries) => {
        const record = { sequence, entries };
        expect(decodeJournalRecord(KEY, encodeJournalRecord(KEY, record))).toEqual(record);
      }),
      bounded,
    );
  });

  test('what an older release would misread has a version that it refuses', () => {
    const versionOf = (entry: Entry): number =>
      encodeJournalRecord(KEY, {
        sequence: 0,
        entries: [{ node: 0, event: { type: 'attemptStarted' }, atMs: 1 }, entry],
      })[0];
    const rerun = { type: 'rerunRequested', node: 1, cascade: true, standing: 0, nodes: [] } as const;
    expect(versionOf({ node: WORKFLOW, event: rerun, atMs: 1 })).toBe(FORMAT_VERSION);
    expect(versionOf({ node: WORKFLOW, event: { type: 'groupRestarted', group: 2, node: 1 }, atMs: 1 })).toBe(
      FORMAT_VERSION,
    );
    const expanded = { type: 'mapExpanded', node: 1, run: 0, items: 2, digest: 'd' } as const;
    expect(versionOf({ node: WORKFLOW, event: expanded, atMs: 1 })).toBe(FORMAT_VERSION);
    const migrated = { type: 'migrated', from: 'f', to: 't', added: [], removed: [], changed: [] } as const;
    expect(versionOf({ node: WORKFLOW, event: migrated, atMs: 1 })).toBe(FORMAT_VERSION);
    // The node's own event of this name is as old as retries are.
    expect(versionOf({ node: 1, event: { type: 'rerunRequested' }, atMs: 1 })).toBe(BASE_VERSION);
    expect(versionOf({ node: WORKFLOW, event: { type: 'retryRequested' }, atMs: 1 })).toBe(BASE_VERSION);
  });

  test.each([
    ['signals', { open: [], ids: ['s'] }],
    ['rerun', { standing: 1, nodes: [2] }],
    ['outdated', [3]],
    ['restarts', [[4, [1000]]]],
    ['maps', [{ node: 1, run: 0, items: 0, digest: 'd', segments: [] }]],
    ['edges', [[1, 2, true]]],
    ['cached', [[1, 'hash']]],
    ['compensating', 'failed'],
    ['reopenedAtMs', 2],
  ] as const)('so has a checkpoint with %s', (key, value) => {
    const row: WorkflowRow = { leaf: 1, startedAtMs: 1, endedAtMs: 0, failedNode: -1, error: null };
    const versionOf = (workflow: WorkflowRow): number => {
      const [op] = checkpointOps('e', { nextSequence: 1, workflow, chunks: new Map() });
      return op.op === 'put' ? op.value[0] : 0;
    };
    expect(versionOf(row)).toBe(BASE_VERSION);
    expect(versionOf({ ...row, [key]: value })).toBe(FORMAT_VERSION);
  });

  test('every event type has a stable code', () => {
    expect(NODE_EVENT_TYPES.indexOf('rerunRequested')).toBe(9);
    expect(WORKFLOW_EVENT_TYPES.indexOf('retryRequested')).toBe(6);
    const entries: Entry[] = [
      { node: 3, event: { type: 'dependenciesMet' }, atMs: 1000 },
      { node: 3, event: { type: 'attemptStarted' }, atMs: 1000 },
      {
        node: 3,
        event: { type: 'attemptSucceeded', output: 'null', artifacts: [], durationMs: 2 },
        atMs: 1002,
      },
      { node: WORKFLOW, event: { type: 'allNodesSettled' }, atMs: 1002 },
    ];
    // format 1; sequence 7, 4 entries; head, node 3, time 1000; head; head, +2 ms, 2 ms, output null; head
    const golden = '0107040003a01fc48508080163';
    const bytes = encodeJournalRecord(KEY, { sequence: 7, entries });
    const checksumDigits = 8;
    expect(Buffer.from(bytes).toString('hex').slice(0, -checksumDigits)).toBe(golden);
  });

  test('the common entries of a node take a few bytes', () => {
    const atMs = 1_790_000_000_000;
    const entries = Array.from({ length: 1000 }, (_, node): Entry[] => [
      { node, event: { type: 'dependenciesMet' }, atMs: atMs + node },
      { node, event: { type: 'attemptStarted' }, atMs: atMs + node },
      {
        node,
        event: { type: 'attemptSucceeded', output: 'null', artifacts: [], durationMs: 9 },
        atMs: atMs + node,
      },
    ]).flat();
    expect(encodeJournalRecord(KEY, { sequence: 1, entries }).length).toBeLessThan(3 * entries.length);
  });

  test('an encoder that threw leaves nothing behind', () => {
    const broken = [{ node: 1, event: { type: 'nonsense' }, atMs: 0 }] as unknown as Entry[];
    expect(() => encodeJournalRecord(KEY, { sequence: 1, entries: broken })).toThrow(/nonsense/);
    const record = { sequence: 2, entries: [] };
    expect(decodeJournalRecord(KEY, encodeJournalRecord(KEY, record))).toEqual(record);
  });
});

describe('checkpoint chunks', () => {
  test('any rows come back as they were', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), (rows) => {
        expect(decodeChunk(KEY, encodeChunk(KEY, rows))).toEqual(rows);
      }),
      bounded,
    );
  });
});

describe('damage', () => {
  test('a change of any one byte is found', () => {
    const record = fc
      .array(anyEntry, { minLength: 1, maxLength: 5 })
      .map((entries) => ({ sequence: 1, entries }));
    fc.assert(
      fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (each, place, change) => {
        const bytes = encodeJournalRecord(KEY, each);
        bytes[place % bytes.length] ^= change;
        expect(() => decodeJournalRecord(KEY, bytes)).toThrow(
          expect.objectContaining({ code: 'RECORD_CORRUPT', details: { key: KEY } }) as Error,
        );
      }),
      bounded,
    );
  });

  test('so is a value that is cut short, or stored under another key', () => {
    const bytes = sealJson(KEY, { a: 1 });
    for (let length = 0; length < bytes.length; length++)
      expect(() => unseal(KEY, bytes.subarray(0, length))).toThrow(/RECORD|damaged/);
    expect(() => unseal('x/other/j/000000000007', bytes)).toThrow(/damaged/);
    expect(unsealJson(KEY, bytes)).toEqual({ a: 1 });
  });

  test('a newer format is not taken for damage', () => {
    const bytes = Buffer.from(seal(KEY, Buffer.from('later')));
    expect(bytes[0]).toBe(BASE_VERSION);
    const later = sealAs(FORMAT_VERSION + 1, Buffer.from('later'));
    expect(() => unseal(KEY, later)).toThrow(expect.objectContaining({ code: 'STORE_VERSION' }) as Error);
  });

  test('whatever the bytes, decoding gives a value or a MaestroError', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      // A plausible beginning, so that the decoder gets further than the first check.
      fc
        .tuple(fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 60 }))
        .map(([n, rest]) => Uint8Array.of(7, n, ...rest)),
    );
    fc.assert(
      fc.property(payload, fc.boolean(), (bytes, sealed) => {
        const stored = sealed ? seal(KEY, bytes) : bytes;
        for (const decode of [decodeJournalRecord, decodeChunk, unsealJson]) {
          try {
            decode(KEY, stored);
          } catch (error) {
            expect(isMaestroError(error)).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** A sealed value as a release with another format version would write it. */
function sealAs(version: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.from(seal(KEY, payload));
  bytes[0] = version;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4), crc32(KEY)), bytes.length - 4);
  return bytes;
}
