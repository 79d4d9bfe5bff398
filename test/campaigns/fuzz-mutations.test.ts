import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { mutateDocument } from './fuzz-mutations.mjs';

const DOCUMENT = { a: { b: [{ c: 1 }] }, d: 'x' };

it('a mutated document is that of its seed, whatever was mutated before, and has JSON', () => {
  const texts = (): string[] =>
    Array.from({ length: 500 }, (_, seed) => JSON.stringify(mutateDocument(DOCUMENT, seededRandom(seed))));
  const first = texts();
  expect(texts()).toEqual(first);
  expect(DOCUMENT).toEqual({ a: { b: [{ c: 1 }] }, d: 'x' });
});
