import { ERROR_CODES } from './internals.mjs';

/** Errors that say that the input is at fault; the others are faults of the product. */
export function assertRefusal(error, what) {
  const code = error?.code;
  if (
    error?.name !== 'MaestroError' ||
    !Object.hasOwn(ERROR_CODES, code) ||
    ['INVARIANT', 'ILLEGAL_TRANSITION'].includes(code)
  )
    throw new Error(`${what}: ${error?.stack ?? String(error)}`);
}
