import { MaestroError } from './errors.js';

/** Throws INVARIANT when `condition` is false: a bug in this package, never the user's. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new MaestroError('INVARIANT', message);
}
