import { MaestroError, type ErrorDocument } from '../base/errors.js';

/** What those who wait for a runtime that died are told. */
export function death(error: ErrorDocument, cause: unknown): MaestroError {
  if (cause instanceof MaestroError) return cause;
  return new MaestroError('RUNTIME_DIED', `the runtime stopped: ${error.message}`, { cause });
}

/** What those who wait for an execution of a runtime that is closed are told. */
export function closedBeforeEnd(): MaestroError {
  return new MaestroError(
    'RUNTIME_CLOSED',
    'the runtime was closed before the execution ended; it can be resumed',
  );
}
