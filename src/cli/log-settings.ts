import { InvalidArgumentError } from 'commander';
import { LOG_COMPONENTS } from '../runtime/index.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How much is logged: in general, and of components that have a level of their own. */
export interface LogLevels {
  readonly level: LogLevel;
  readonly components: ReadonlyMap<string, LogLevel>;
}

/** `info`, `info,store=debug,pool=warn`, or `store=debug` (the rest: info). @throws InvalidArgumentError */
export function parseLogLevels(text: string): LogLevels {
  let level: LogLevel | undefined;
  const components = new Map<string, LogLevel>();
  for (const part of text.split(',')) {
    const [name, given, ...rest] = part.split('=').map((word) => word.trim());
    if (given === undefined) {
      if (level !== undefined)
        throw new InvalidArgumentError(`There are two general levels: ${level}, ${name}.`);
      level = levelOf(name);
    } else if (rest.length > 0 || !(LOG_COMPONENTS as readonly string[]).includes(name)) {
      throw new InvalidArgumentError(
        `There is no component ${JSON.stringify(name)}: ${LOG_COMPONENTS.join(', ')}.`,
      );
    } else components.set(name, levelOf(given));
  }
  return { level: level ?? 'info', components };
}

function levelOf(word: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === word);
  if (level !== undefined) return level;
  throw new InvalidArgumentError(`${JSON.stringify(word)} is no level: ${LOG_LEVELS.join(', ')}.`);
}

/** Names of fields that are never logged, as `keyOf` writes them; a longer name that ends so is one of them, too. */
const SECRET = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'authorization',
  'apikey',
  'accesskey',
];
const SECRET_TOO = ['privatekey', 'credentials', 'cookie'];

/** Key names, divided by commas. @throws InvalidArgumentError */
export function parseRedactedKeys(text: string): string[] {
  const keys = text.split(',').map((word) => word.trim());
  const wrong = keys.find((key) => keyOf(key) === '');
  if (wrong === undefined) return keys;
  throw new InvalidArgumentError('Write names of fields, divided by commas: apiKey,session_id.');
}

const MAX_DEPTH = 8;

/**
 * Gives a copy of what is logged without the values of secret fields, at any depth a line may have. Upper case, `-` and
 * `_` make no difference in their names.
 */
export function redactor(keys: readonly string[]): (fields: object) => Record<string, unknown> {
  const secret = [...SECRET, ...SECRET_TOO, ...keys.map(keyOf)];
  const known = new Map<string, boolean>();
  const isSecret = (name: string): boolean => {
    let answer = known.get(name);
    if (answer === undefined) {
      answer = secret.some((key) => keyOf(name).endsWith(key));
      // Names come from our code, but may come from data: a bound on them.
      if (known.size < 1000) known.set(name, answer);
    }
    return answer;
  };
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    if (depth > MAX_DEPTH) return '[too deep]';
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1));
    return copyObject(value, depth);
  };
  const copyObject = (value: object, depth: number): Record<string, unknown> => {
    const entries = Object.entries(plain(value)).map(([name, field]) => {
      return [name, isSecret(name) ? '[redacted]' : copy(field, depth + 1)];
    });
    return Object.fromEntries(entries) as Record<string, unknown>;
  };
  return (fields) => copyObject(fields, 0);
}

/** The fields of an error are not its own to list. */
function plain(value: object): object {
  if (!(value instanceof Error)) return value;
  const { name, message, stack } = value;
  return { ...value, name, message, stack };
}

function keyOf(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}
