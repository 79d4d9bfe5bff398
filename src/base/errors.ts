import { ERROR_CODES, type ErrorCode } from './error-codes.js';

/** An error as documents and the journal carry it. Snake case, plain JSON. */
export interface ErrorDocument {
  name: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: ErrorDocument;
  /** What the thrower attached: JSON values only. */
  details?: Record<string, unknown>;
}

/** One place in an input that is wrong. `line` and `column` count from 1. */
export interface Problem {
  code: string;
  message: string;
  severity: 'error' | 'warning';
  file?: string;
  line?: number;
  column?: number;
  node_id?: string;
}

export interface MaestroErrorOptions {
  cause?: unknown;
  /** What to do next; defaults to the catalogue's text for the code. */
  next?: string;
  details?: Record<string, unknown>;
  /** Every problem found in an input, for SPEC_INVALID and the like. */
  problems?: readonly Problem[];
}

/** The one error class of this package. Switch on `code`, never on the message. */
export class MaestroError extends Error {
  override readonly name = 'MaestroError';
  readonly code: ErrorCode;
  readonly next: string;
  readonly details: Record<string, unknown>;
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, options: MaestroErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next ?? ERROR_CODES[code].next;
    this.details = options.details ?? {};
    this.problems = options.problems ?? [];
  }

  /** Whether the same call can succeed later without a change. */
  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable;
  }

  /** The exit code the command ends with for this error. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

export function isMaestroError(value: unknown, code?: ErrorCode): value is MaestroError {
  return value instanceof MaestroError && (code === undefined || value.code === code);
}

const MAX_CAUSES = 8;

/** Turns anything thrown (also `null`, strings, exotic objects) into a document. Never throws. */
export function toErrorDocument(value: unknown, depth = 0): ErrorDocument {
  try {
    if (value instanceof Error) return fromError(value, depth);
    return { name: 'NonError', message: describe(value) };
  } catch {
    return { name: 'NonError', message: 'a value that cannot be described was thrown' };
  }
}

function fromError(error: Error, depth: number): ErrorDocument {
  const document: ErrorDocument = { name: String(error.name), message: String(error.message) };
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' || typeof code === 'number') document.code = String(code);
  if (typeof error.stack === 'string') document.stack = error.stack;
  if (error.cause !== undefined && depth < MAX_CAUSES)
    document.cause = toErrorDocument(error.cause, depth + 1);
  const details = error instanceof MaestroError ? error.details : undefined;
  if (details && Object.keys(details).length > 0) document.details = details;
  return document;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  // Types leave it out, but an object whose toJSON returns nothing has no JSON text.
  const text: string | undefined = JSON.stringify(value);
  return text ?? Object.prototype.toString.call(value);
}
