import { MaestroError, type Problem } from '../base/errors.js';
import { parseJson } from './json-source.js';
import { parseYaml } from './yaml-source.js';
import type { SourceMap } from './findings.js';

export type SourceFormat = 'json' | 'yaml';

/** A parsed text that still knows where everything stood. */
export interface Source {
  readonly value: unknown;
  readonly map: SourceMap;
}

/** Largest texts, in bytes. Parsing YAML takes some hundred times its size in memory, JSON a few times. */
export const MAX_SOURCE_BYTES: Readonly<Record<SourceFormat, number>> = {
  json: 256 * 1024 * 1024,
  yaml: 16 * 1024 * 1024,
};

/**
 * Parses a text of a known format.
 * @throws SPEC_SYNTAX, with places in `problems`; SPEC_UNREADABLE when it is too long
 */
export function parseSource(text: string, format: SourceFormat, file?: string): Source {
  const name = file ?? 'the text';
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_SOURCE_BYTES[format]) throw tooLarge(name, format);
  if (text.trim() === '')
    throw syntaxError(name, [{ code: 'SYNTAX', message: 'the text is empty', severity: 'error', file }]);
  const parsed = format === 'json' ? parseJson(text, file) : parseYaml(text, file);
  if (!Array.isArray(parsed)) return parsed;
  throw syntaxError(name, parsed);
}

export function tooLarge(name: string, format: SourceFormat): MaestroError {
  const limit = MAX_SOURCE_BYTES[format] / 2 ** 20;
  return new MaestroError(
    'SPEC_UNREADABLE',
    `${name} is larger than the limit of ${limit} MiB for ${format}`,
  );
}

export function syntaxError(name: string, problems: readonly Problem[]): MaestroError {
  const [first] = problems;
  const place = first.line === undefined ? name : `${name}:${first.line}:${first.column ?? 1}`;
  return new MaestroError('SPEC_SYNTAX', `${place}: ${first.message}`, { problems });
}
