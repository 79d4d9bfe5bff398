import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { LogLevels } from './log-settings.js';
import { MaestroError, toErrorDocument } from '../runtime/index.js';

/** Options every command takes. */
export interface GlobalOptions {
  store?: string;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  logLevel?: LogLevels;
  logRedact?: string[];
}

/** A whole number of at least 1. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  }
  return value;
}

/** A number of at least 0, fractions allowed. @throws InvalidArgumentError */
export function parseNonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('It must be a number of at least 0.');
  }
  return value;
}

/** `10/60`: so many within so many seconds. @throws InvalidArgumentError */
export function parseRestarts(text: string): { maxRestarts: number; withinMs: number } {
  const match = /^(\d{1,9})\/(\d{1,9}(?:\.\d+)?)$/.exec(text);
  const withinMs = match === null ? 0 : Number(match[2]) * 1000;
  if (match === null || withinMs <= 0) {
    throw new InvalidArgumentError('Write a number and seconds, such as 100/60.');
  }
  return { maxRestarts: Number(match[1]), withinMs };
}

/** Words with commas between them. @throws InvalidArgumentError */
export function parseList(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('')) throw new InvalidArgumentError('Write one, or several with commas between them.');
  return words;
}

/** Whole numbers of at least 1 with commas between them. @throws InvalidArgumentError */
export function parseCounts(text: string): number[] {
  return parseList(text).map(parseCount);
}

/** A TCP port; 0 leaves the choice to the system. @throws InvalidArgumentError */
export function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw new InvalidArgumentError('It must be a port, 0 to 65535.');
}

/** A whole number, 0 included. @throws InvalidArgumentError */
export function parseWhole(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of at least 0.');
}

/** A time span in milliseconds: `90s`, `30m`, `24h`, `7d`. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new InvalidArgumentError('Write a time span such as 90s, 30m, 24h or 7d.');
  return Number(match[1]) * UNIT_SECONDS.get(match[2])! * 1000;
}

const DURATION = /^(\d+(?:\.\d+)?)([smhd])$/;
const UNIT_SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

/**
 * A moment in epoch milliseconds: `30m`, `12h`, `7d` before now, or a date such as `2026-01-31`.
 * @throws USAGE
 */
export function parseSince(text: string, nowMs: number, option = '--since'): number {
  const ago = DURATION.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * UNIT_SECONDS.get(ago[2])! * 1000;
  const atMs = /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw new MaestroError('USAGE', `${option} ${JSON.stringify(text)} is neither a time span nor a date`, {
    next: 'Write 30m, 12h, 7d, or a date such as 2026-01-31.',
  });
}

/** The value of an option that is JSON. @throws USAGE */
export function parseJsonOption(text: string, option: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MaestroError('USAGE', `${option} is not JSON: ${toErrorDocument(error).message}`, {
      next: `Quote it for the shell: ${option} '{"amount":5}'; a text is ${option} '"text"'.`,
    });
  }
}

/**
 * The initial context: a JSON object, or `@file` that holds one.
 * @throws CONTEXT_INVALID
 */
export function parseContext(text: string, cwd: string): Record<string, unknown> {
  const fromFile = text.startsWith('@');
  const source = fromFile ? readContextFile(resolve(cwd, text.slice(1))) : text;
  const where = fromFile ? text.slice(1) : '--context';
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new MaestroError('CONTEXT_INVALID', `${where} is not JSON: ${toErrorDocument(error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  throw new MaestroError('CONTEXT_INVALID', `${where} must hold a JSON object, not ${kind}`);
}

function readContextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MaestroError(
      'CONTEXT_INVALID',
      `the context file cannot be read: ${toErrorDocument(error).message}`,
      {
        next: 'Check the path after @.',
      },
    );
  }
}

/** `key=value` texts as an object; a value is JSON, or else text. @throws USAGE */
export function parseAssignments(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new MaestroError('USAGE', `--set takes key=value, not ${JSON.stringify(text)}`);
      return [text.slice(0, at), jsonOrText(text.slice(at + 1))];
    }),
  );
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
