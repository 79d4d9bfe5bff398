import { CommanderError } from 'commander';
import type { Colors } from 'picocolors/types.js';
import { isMaestroError, toErrorDocument, type Problem } from '../runtime/index.js';
import { formatProblem } from './format/problems.js';
import { cleanLines } from './format/text.js';

/** What the command's exit codes mean. */
export const EXIT = { success: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The exit code for anything thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
  return isMaestroError(error) ? error.exitCode : EXIT.usage;
}

export interface ErrorEnvelope {
  error: {
    code: string;
    message: string;
    next: string;
    details?: Record<string, unknown>;
    problems?: readonly Problem[];
    stack?: string;
  };
}

const REPORT_IT = 'This is a bug in maestro-dag: please report it with this text.';

/** The document that `--json` writes to stderr for an error. */
export function errorEnvelope(error: unknown, verbose: boolean): ErrorEnvelope {
  const stack = verbose && error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
  if (error instanceof CommanderError) {
    return {
      error: { code: 'USAGE', message: usageMessage(error), next: 'See `maestro --help`.', ...stack },
    };
  }
  if (!isMaestroError(error)) {
    const { name, message } = toErrorDocument(error);
    return {
      error: { code: 'INTERNAL', message: `internal error: ${name}: ${message}`, next: REPORT_IT, ...stack },
    };
  }
  return {
    error: {
      code: error.code,
      message: error.message,
      next: error.next,
      ...(Object.keys(error.details).length > 0 ? { details: error.details } : {}),
      ...(error.problems.length > 0 ? { problems: error.problems } : {}),
      ...stack,
    },
  };
}

/** The same for people: what happened, every problem with its place, what to do next. No stack unless `verbose`. */
export function formatError(error: unknown, color: Colors, verbose: boolean): string {
  const { code, message, next, problems, stack } = errorEnvelope(error, verbose).error;
  const label = code === 'USAGE' || code === 'INTERNAL' ? '' : color.dim(` [${code}]`);
  const lines = [`${color.red('error:')} ${cleanLines(message)}${label}`];
  for (const problem of worthListing(message, problems ?? []))
    lines.push(`  ${formatProblem(problem, color)}`);
  if (next !== '') lines.push(`  ${color.dim('→')} ${next}`);
  if (stack !== undefined) lines.push(color.dim(cleanLines(stack)));
  return lines.join('\n');
}

/** A single problem whose place and text the message has already told is not told twice. */
function worthListing(message: string, problems: readonly Problem[]): readonly Problem[] {
  const [only] = problems;
  const told =
    problems.length === 1 && message.includes(only.message) && message.includes(`:${only.line ?? ''}`);
  return told ? [] : problems;
}

function usageMessage(error: CommanderError): string {
  return error.message.replace(/^error: /, '');
}
