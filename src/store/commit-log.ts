import { crc32 } from 'node:zlib';
import { MaestroError } from '../base/errors.js';
import type { KvOp } from './kv.js';

/**
 * How commits stand in a log: each is a frame of whole blocks, so that no write touches a block in which an earlier
 * commit lies, and a write that power loss interrupts spoils only itself.
 *
 *   offset 0   4 bytes   magic
 *          4   4         CRC-32 of the owner's name, and of everything from offset 8 to the end of the ops: what looks like a
 *                        frame because a value has one in it, of another log, is none
 *          8   8         number of the commit: one more than that of the frame before
 *         16   4         bytes of the ops that follow
 *         20   …         ops: kind (1 byte), length of the key (2), length of the value (4), key, value
 *
 * All numbers are little endian. The rest of the last block is zero.
 */
export const BLOCK_BYTES = 4096;
const MAGIC = 0x31474c4d;
const HEAD_BYTES = 20;
const OP_HEAD_BYTES = 7;
const CHECKED_FROM = 8;
const [PUT, DELETE] = [1, 2];

export interface LoggedCommit {
  readonly number: number;
  readonly ops: readonly KvOp[];
}

/** Bytes of the frame that these ops make. */
export function frameBytes(ops: readonly KvOp[]): number {
  let bytes = HEAD_BYTES;
  for (const op of ops) bytes += OP_HEAD_BYTES + op.key.length + (op.op === 'put' ? op.value.length : 0);
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Writes a frame to the beginning of `target`, which holds `frameBytes(ops)` at least. @returns its bytes */
export function writeFrame(target: Buffer, owner: string, number: number, ops: readonly KvOp[]): number {
  let at = HEAD_BYTES;
  for (const op of ops) {
    const valueBytes = op.op === 'put' ? op.value.length : 0;
    target[at] = op.op === 'put' ? PUT : DELETE;
    target.writeUInt16LE(op.key.length, at + 1);
    target.writeUInt32LE(valueBytes, at + 3);
    at += OP_HEAD_BYTES;
    at += target.write(op.key, at, 'latin1');
    if (op.op === 'put') target.set(op.value, at);
    at += valueBytes;
  }
  target.writeUInt32LE(MAGIC, 0);
  target.writeBigUInt64LE(BigInt(number), 8);
  target.writeUInt32LE(at - HEAD_BYTES, 16);
  target.writeUInt32LE(crc32(target.subarray(CHECKED_FROM, at), crc32(owner)), 4);
  const end = Math.ceil(at / BLOCK_BYTES) * BLOCK_BYTES;
  // What the buffer held before goes to no disk.
  target.fill(0, at, end);
  return end;
}

/**
 * The commits in a log after number `after`, in their order. A log is written from its beginning again when all that is in
 * it is elsewhere: older frames may follow the newest, and the newest may be half a one, which nobody was told of.
 * @throws STORE_CORRUPT when a frame is missing before one that was written after it
 */
export function readFrames(bytes: Buffer, owner: string, after: number): LoggedCommit[] {
  const found = contiguous(bytes, owner, after);
  if (found.length > 0 && found[0].number !== after + 1) throw damaged(0, after + 1);
  return found;
}

/** Whether no commit is missing before another in what may be a log in the middle of a write. */
export function isWhole(bytes: Buffer, owner: string): boolean {
  try {
    contiguous(bytes, owner, frameAt(bytes, 0, crc32(owner))?.number ?? 0);
    return true;
  } catch {
    return false;
  }
}

function contiguous(bytes: Buffer, owner: string, after: number): LoggedCommit[] {
  const salt = crc32(owner);
  const found: LoggedCommit[] = [];
  let at = 0;
  let expected: number | undefined;
  for (;;) {
    const frame = frameAt(bytes, at, salt);
    if (frame === null || (expected !== undefined && frame.number !== expected)) break;
    expected = frame.number + 1;
    if (frame.number > after)
      found.push({ number: frame.number, ops: readOps(bytes, frame.from, frame.end) });
    at += frame.bytes;
  }
  const next = expected ?? after + 1;
  for (let rest = at; rest < bytes.length; rest += BLOCK_BYTES) {
    const later = frameAt(bytes, rest, salt);
    if (later !== null && later.number >= next) throw damaged(at, next);
  }
  return found;
}

function damaged(at: number, number: number): MaestroError {
  return new MaestroError(
    'STORE_CORRUPT',
    `commit ${number} is missing at byte ${at}, and later ones are there`,
  );
}

/** Where a frame's ops are, and how much room it takes. */
interface Frame {
  readonly number: number;
  readonly from: number;
  readonly end: number;
  readonly bytes: number;
}

/** null: there is none, or none that is whole. */
function frameAt(bytes: Buffer, at: number, salt: number): Frame | null {
  const from = at + HEAD_BYTES;
  if (from > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return null;
  const end = from + bytes.readUInt32LE(at + 16);
  if (end > bytes.length) return null;
  if (crc32(bytes.subarray(at + CHECKED_FROM, end), salt) !== bytes.readUInt32LE(at + 4)) return null;
  const number = Number(bytes.readBigUInt64LE(at + 8));
  return { number, from, end, bytes: Math.ceil((end - at) / BLOCK_BYTES) * BLOCK_BYTES };
}

/** Of a frame whose checksum is right. */
function readOps(bytes: Buffer, from: number, end: number): KvOp[] {
  const ops: KvOp[] = [];
  let at = from;
  while (at < end) {
    const kind = bytes[at];
    const keyEnd = at + OP_HEAD_BYTES + bytes.readUInt16LE(at + 1);
    const valueEnd = keyEnd + bytes.readUInt32LE(at + 3);
    const key = bytes.toString('latin1', at + OP_HEAD_BYTES, keyEnd);
    if (kind === PUT) ops.push({ op: 'put', key, value: Buffer.from(bytes.subarray(keyEnd, valueEnd)) });
    else ops.push({ op: 'del', key });
    at = valueEnd;
  }
  return ops;
}
