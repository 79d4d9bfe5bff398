import { MaestroError } from '../base/errors.js';
import { BASE_VERSION, FORMAT_VERSION, sealJson, unsealJson } from './envelope.js';
import { MARKER_KEY } from './keys.js';
import type { Kv } from './kv.js';

/** What the marker row says. */
interface Marker {
  readonly product: 'maestro-dag';
  readonly format: number;
}

const MARKER: Marker = { product: 'maestro-dag', format: BASE_VERSION };

/** The range of every key there can be. */
const EVERYTHING = { start: '\0', end: '\x7f', limit: 1 };

/**
 * Makes sure that `kv` is a store of this format; an empty one becomes one.
 * @throws MaestroError STORE_CORRUPT when it holds something else, STORE_VERSION when it is newer.
 */
export async function ensureMarker(kv: Kv): Promise<void> {
  const bytes = await kv.get(MARKER_KEY);
  if (bytes) return checkMarker(bytes);
  for await (const key of kv.keys(EVERYTHING)) {
    // Another process may have made it one meanwhile.
    const now = await kv.get(MARKER_KEY);
    if (now) return checkMarker(now);
    throw new MaestroError(
      'STORE_CORRUPT',
      `it holds ${key}, but nothing says that it is a store of maestro-dag`,
    );
  }
  try {
    await kv.commit(
      [{ op: 'put', key: MARKER_KEY, value: sealJson(MARKER_KEY, MARKER) }],
      [{ key: MARKER_KEY, value: null }],
    );
  } catch (error) {
    // Another process may have been first with the same.
    const now = await kv.get(MARKER_KEY);
    if (!now) throw error;
    checkMarker(now);
  }
}

/** @throws MaestroError STORE_CORRUPT, STORE_VERSION */
export function checkMarker(bytes: Uint8Array): void {
  const { product, format } = readMarker(bytes);
  if (product !== MARKER.product || !Number.isInteger(format))
    throw new MaestroError('STORE_CORRUPT', 'its marker is not one of maestro-dag');
  if (format > FORMAT_VERSION)
    throw new MaestroError(
      'STORE_VERSION',
      `the store has format ${format}; this release reads up to ${FORMAT_VERSION}`,
    );
}

function readMarker(bytes: Uint8Array): Partial<Marker> & { format: number } {
  try {
    return unsealJson(MARKER_KEY, bytes) as Marker;
  } catch (cause) {
    if (cause instanceof MaestroError && cause.code === 'STORE_VERSION') throw cause;
    throw new MaestroError('STORE_CORRUPT', 'its marker is damaged', { cause });
  }
}
