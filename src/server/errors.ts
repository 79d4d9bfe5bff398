import type { FastifyError, FastifyReply } from 'fastify';
import { isMaestroError, MaestroError, type ErrorCode, type Problem } from '../runtime/index.js';

/** The body of every answer that is an error. */
export interface ErrorBody {
  error: {
    code: string;
    message: string;
    next?: string;
    details?: Record<string, unknown>;
    problems?: readonly Problem[];
  };
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  USAGE: 400,
  CONTEXT_INVALID: 400,
  SPEC_INVALID: 400,
  PAYLOAD_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  EXECUTION_NOT_FOUND: 404,
  NODE_NOT_FOUND: 404,
  SIGNAL_UNKNOWN: 404,
  SCHEDULE_NOT_FOUND: 404,
  ARTIFACT_MISSING: 404,
  ARTIFACT_OUTSIDE: 404,
  ARTIFACT_CHANGED: 409,
  EXECUTION_EXISTS: 409,
  EXECUTION_STATE: 409,
  EXECUTION_OWNED: 409,
  STRUCTURE_MISMATCH: 409,
  MIGRATION_REFUSED: 409,
  EXECUTOR_MISSING: 409,
  STORE_CONFLICT: 409,
  RATE_LIMITED: 429,
  DRAINING: 503,
  RUNTIME_CLOSED: 503,
  RUNTIME_DIED: 503,
  STORE_COMMIT: 503,
  STORE_UNAVAILABLE: 503,
  POOL_STOPPED: 503,
};

/** The HTTP status of an error. What is not known is the service's own fault. */
function statusOf(error: unknown): number {
  if (isMaestroError(error)) return STATUS[error.code] ?? 500;
  const status = (error as Partial<FastifyError>).statusCode;
  return status !== undefined && status >= 400 && status < 500 ? status : 500;
}

/** Answers with an error: never a stack trace, and of faults of the service itself no detail. */
export function sendError(reply: FastifyReply, error: unknown): void {
  const status = statusOf(error);
  if (status === 503) reply.header('retry-after', '5');
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  reply.code(status).send(bodyOf(error, status));
}

function bodyOf(error: unknown, status: number): ErrorBody {
  if (isMaestroError(error)) {
    const { code, message, next, details, problems } = error;
    return { error: { code, message, next, ...filled({ details }), ...filled({ problems }) } };
  }
  if (status === 500) return { error: { code: 'INTERNAL', message: 'the service failed; its log says why' } };
  const code = status === 429 ? 'RATE_LIMITED' : 'REQUEST_INVALID';
  return { error: { code, message: (error as Error).message } };
}

/** A list or object only when there is something in it. */
function filled<T extends Record<string, object | undefined>>(field: T): T | object {
  return Object.values(field).some((value) => value !== undefined && Object.keys(value).length > 0)
    ? field
    : {};
}

export function notFound(what: string): MaestroError {
  return new MaestroError('NOT_FOUND', what);
}
