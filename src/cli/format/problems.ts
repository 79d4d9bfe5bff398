import type { Colors } from 'picocolors/types.js';
import type { Problem } from '../../runtime/index.js';
import { cleanLines, oneLine, truncate } from './text.js';

/** `file:line:column: error: message [CODE]`, the form editors and CI understand. */
export function formatProblem(problem: Problem, color: Colors): string {
  const place = [problem.file, problem.line, problem.line === undefined ? undefined : problem.column]
    .filter((part) => part !== undefined)
    .join(':');
  const severity = problem.severity === 'error' ? color.red('error') : color.yellow('warning');
  const prefix = place === '' ? '' : `${place}: `;
  return `${prefix}${severity}: ${oneLine(problem.message)} ${color.dim(`[${problem.code}]`)}`;
}

const FRAME_WIDTH = 120;

/** The line a problem is on, and a caret under its column; nothing when the place is unknown. */
export function codeFrame(source: string, problem: Problem, color: Colors): string[] {
  if (problem.line === undefined) return [];
  const text = source.split('\n', problem.line)[problem.line - 1];
  if (text === undefined || text.trim() === '') return [];
  const number = String(problem.line);
  const shown = truncate(cleanLines(text.replaceAll('\t', ' ')), FRAME_WIDTH);
  const lines = [`${color.dim(`${number} |`)} ${shown}`];
  const column = problem.column ?? 0;
  if (column >= 1 && column <= shown.length + 1) {
    lines.push(`${color.dim(`${' '.repeat(number.length)} |`)} ${' '.repeat(column - 1)}${color.red('^')}`);
  }
  return lines;
}
