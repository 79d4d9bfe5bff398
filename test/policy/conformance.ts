import { existsSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../../shared/conformance/', import.meta.url);

/** The rows of a conformance file; undefined, with a message, where the shared folder is not there. */
export function conformanceRows<Row>(file: string): Row[] | undefined {
  const url = new URL(file, FOLDER);
  if (existsSync(url)) return JSON.parse(readFileSync(url, 'utf8')) as Row[];
  console.warn(`skipped: ${file} is not in ../shared/conformance`);
  return undefined;
}
