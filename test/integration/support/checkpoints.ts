/**
 * A checkpoint comes after 4,096 entries and four for each node, and a node that just runs has three. One that fails twice before
 * has seven.
 */
const FAILURES = 2;

/** Of a node that calls `failFirst`. */
export const manyEntries = { retry: { maxAttempts: FAILURES + 1, delaySeconds: 0 } } as const;

/** Throws in the first attempts. */
export function failFirst({ attempt }: { readonly attempt: number }): void {
  if (attempt <= FAILURES) throw new Error('not yet');
}
