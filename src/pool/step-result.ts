import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';

/** What a step came to, as text: the same whether it ran in this thread, on a worker or in a child process. */
export type StepResult =
  | { readonly ok: true; readonly output: string; readonly artifacts: readonly string[] }
  | { readonly ok: false; readonly error: ErrorDocument };

/** Longest message or stack that is carried, in characters: an error is not a way around the output limit. */
const MAX_ERROR_TEXT = 16 * 1024;

const NO_ARTIFACTS: readonly string[] = [];

/**
 * Serialises what a step returned. `undefined` becomes `null`; apart from that the semantics are those of
 * JSON.stringify, but a value that has no JSON at all (a function, a symbol, a BigInt, a cycle) is an error.
 * `maxOutputBytes` limits the UTF-8 length of the text. Never throws.
 */
export function encodeOutput(value: unknown, maxOutputBytes: number): StepResult {
  let output: string | undefined;
  try {
    output = value === undefined ? 'null' : JSON.stringify(value);
  } catch (error) {
    return { ok: false, error: unserialisable(error, maxOutputBytes) };
  }
  if (output === undefined) {
    const message = `the step returned a ${typeof value}, which has no JSON form; return plain JSON values`;
    return failure(new MaestroError('OUTPUT_NOT_SERIALIZABLE', message));
  }
  return checkSize(output, maxOutputBytes) ?? { ok: true, output, artifacts: artifactsOf(value) };
}

/** The error for an output text over the limit, or undefined when it fits. */
function checkSize(output: string, maxOutputBytes: number): StepResult | undefined {
  // A UTF-16 unit takes one to three bytes: most outputs are decided without counting.
  if (output.length * 3 <= maxOutputBytes) return undefined;
  const sizeBytes = Buffer.byteLength(output);
  if (sizeBytes <= maxOutputBytes) return undefined;
  return failure(tooLarge(`${sizeBytes} bytes of JSON`, maxOutputBytes));
}

/** Turns whatever a step threw into a failed result. Never throws. */
export function encodeError(thrown: unknown): StepResult & { ok: false } {
  const document = toErrorDocument(thrown);
  document.message = cut(document.message);
  if (document.stack !== undefined) document.stack = cut(document.stack);
  const details = detailsOf(thrown);
  if (details === undefined) delete document.details;
  else document.details = details;
  return { ok: false, error: document };
}

function failure(error: MaestroError): StepResult {
  return { ok: false, error: toErrorDocument(error) };
}

function tooLarge(size: string, maxOutputBytes: number): MaestroError {
  return new MaestroError(
    'OUTPUT_TOO_LARGE',
    `the step returned ${size}; the limit is ${maxOutputBytes} bytes: write large data to a file and return its path`,
  );
}

function unserialisable(thrown: unknown, maxOutputBytes: number): ErrorDocument {
  // V8 refuses to build a text longer than about 512 Mi characters with a RangeError; so does a too deep value.
  if (thrown instanceof RangeError && /string length/i.test(thrown.message))
    return toErrorDocument(tooLarge('more JSON than a string can hold', maxOutputBytes));
  const cause = encodeError(thrown).error;
  const message = `what the step returned cannot be written as JSON: ${firstLine(cause.message)}`;
  return { ...toErrorDocument(new MaestroError('OUTPUT_NOT_SERIALIZABLE', message)), cause };
}

function artifactsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return NO_ARTIFACTS;
  try {
    const listed: unknown = (value as { artifacts?: unknown }).artifacts;
    if (!Array.isArray(listed)) return NO_ARTIFACTS;
    return listed.filter((path): path is string => typeof path === 'string');
  } catch {
    return NO_ARTIFACTS;
  }
}

/** What the thrower attached as `details`, when it is an object that survives JSON and is not large. */
function detailsOf(thrown: unknown): Record<string, unknown> | undefined {
  try {
    const details: unknown = (thrown as { details?: unknown } | null | undefined)?.details;
    if (typeof details !== 'object' || details === null || Array.isArray(details)) return undefined;
    const text = JSON.stringify(details);
    if (text === undefined || text === '{}' || text.length > MAX_ERROR_TEXT) return undefined;
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function cut(text: string): string {
  return text.length <= MAX_ERROR_TEXT ? text : `${text.slice(0, MAX_ERROR_TEXT)}… (cut)`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
