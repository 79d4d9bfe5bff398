import { crc32 } from 'node:zlib';
import { MaestroError } from '../base/errors.js';

/** Version of the stored format. A release reads every version up to its own. */
export const FORMAT_VERSION = 2;

/**
 * What a record is written as unless it holds something newer: an older release can go on with a store as long as
 * nothing in it needs this one. 2: waits, comments, signals, reruns of single
 * nodes, restarts of groups, checks of contracts and definitions by columns.
 */
export const BASE_VERSION = 1;

/** Bytes around every payload: 1 of version before it, 4 of CRC-32 (little endian) after it. */
const HEAD_BYTES = 1;
const TAIL_BYTES = 4;

/**
 * Wraps a payload for storage under `key`. The checksum covers key, version and payload, so a value that turns up
 * under another key is found out too.
 */
export function seal(key: string, payload: Uint8Array, version = BASE_VERSION): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length + TAIL_BYTES);
  bytes.set(payload, HEAD_BYTES);
  return sealed(key, bytes, version);
}

/** The same of a text. */
export function sealText(key: string, text: string, version = BASE_VERSION): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + Buffer.byteLength(text) + TAIL_BYTES);
  bytes.write(text, HEAD_BYTES);
  return sealed(key, bytes, version);
}

function sealed(key: string, bytes: Buffer, version: number): Uint8Array {
  bytes[0] = version;
  bytes.writeUInt32LE(checksum(key, bytes), bytes.length - TAIL_BYTES);
  return bytes;
}

/**
 * The payload of a stored value.
 * @throws MaestroError RECORD_CORRUPT when it was damaged, STORE_VERSION when a newer release wrote it.
 */
export function unseal(key: string, bytes: Uint8Array): Uint8Array {
  const end = bytes.length - TAIL_BYTES;
  if (end < HEAD_BYTES) throw corrupt(key, `it is ${bytes.length} bytes long`);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, TAIL_BYTES).getUint32(0, true);
  if (stored !== checksum(key, bytes)) throw corrupt(key, 'its checksum does not match');
  if (bytes[0] > FORMAT_VERSION)
    throw new MaestroError(
      'STORE_VERSION',
      `the record ${key} has format ${bytes[0]}, newer than this release`,
    );
  if (bytes[0] === 0) throw corrupt(key, 'it has format 0');
  return bytes.subarray(HEAD_BYTES, end);
}

export function sealJson(key: string, value: unknown, version = BASE_VERSION): Uint8Array {
  return sealText(key, JSON.stringify(value), version);
}

export function unsealJson(key: string, bytes: Uint8Array): unknown {
  const payload = unseal(key, bytes);
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString()) as unknown;
  } catch (cause) {
    throw corrupt(key, 'it is not JSON', cause);
  }
}

/** The error for a stored value that cannot be what was written. */
export function corrupt(key: string, why: string, cause?: unknown): MaestroError {
  return new MaestroError('RECORD_CORRUPT', `the record ${key} is damaged: ${why}`, {
    cause,
    details: { key },
  });
}

function checksum(key: string, bytes: Uint8Array): number {
  return crc32(bytes.subarray(0, bytes.length - TAIL_BYTES), crc32(key));
}
