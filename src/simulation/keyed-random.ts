import { seededRandom, type Random } from '../base/random.js';

/**
 * Randomness that belongs to something: the same for the same seed and keys, whoever asks and in which order, so that
 * an attempt that is made again after a crash comes out as it did before.
 */
export function keyedRandom(seed: number, ...keys: readonly (string | number)[]): Random {
  // FNV-1a over the keys as text.
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify([seed, ...keys])) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return seededRandom(hash);
}

export function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}

/** Between the two, small values as likely as large ones. */
export function logUniform(random: Random, least: number, most: number): number {
  return least * (most / least) ** random();
}
