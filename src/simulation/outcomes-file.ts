import { MaestroError, isMaestroError } from '../base/errors.js';
import { findDuplicateKeys } from '../spec/json-source.js';
import { readSourceFile } from '../spec/source-file.js';
import { parseSource } from '../spec/source.js';
import type { GivenOutcomes } from './outcomes.js';

/** Reads outcomes from a YAML or JSON file; gzipped ones too. @throws OUTCOMES_INVALID */
export async function readOutcomesFile(path: string): Promise<GivenOutcomes> {
  try {
    const { text, format } = await readSourceFile(path);
    const { value, map } = parseSource(text, format, path);
    const duplicates = format === 'json' ? findDuplicateKeys(text, path) : [];
    if (duplicates.length > 0)
      throw new MaestroError('OUTCOMES_INVALID', duplicates[0].message, { problems: duplicates });
    return { outcomes: value, source: map };
  } catch (cause) {
    if (!isMaestroError(cause) || cause.code === 'OUTCOMES_INVALID') throw cause;
    const { message, problems } = cause;
    throw new MaestroError('OUTCOMES_INVALID', message, { cause, problems });
  }
}
