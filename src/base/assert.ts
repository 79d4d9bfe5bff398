import { MaestroError } from './errors.js';

/** Throws INVARIANT when `condition` is false: a bug in this package, never the user's. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new MaestroError('INVARIANT', message);
}

/** For the default branch of a switch that is exhaustive. */
export function unreachable(value: never): never {
  throw new MaestroError('INVARIANT', `unreachable: ${JSON.stringify(value)}`);
}
