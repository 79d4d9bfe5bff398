import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { TEMPLATES } from '../../support/template-run.js';
import { maestro, makeFolder } from './maestro.js';

export type Json = Record<string, unknown>;

/** Call at a file's top level: a folder with the template `hello`, and what the command prints there with --json. */
export function helloFolder() {
  const folder = makeFolder();
  const options = { cwd: folder.path };
  beforeAll(() => cpSync(join(TEMPLATES, 'hello'), folder.path, { recursive: true }));
  afterAll(folder.remove);
  const json = async (...args: string[]): Promise<Json> => {
    const { code, out, err } = await maestro([...args, '--json'], options);
    expect(code, err).toBe(0);
    return JSON.parse(out) as Json;
  };
  return { folder, options, json };
}
