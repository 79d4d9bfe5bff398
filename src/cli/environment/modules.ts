import { readFileSync } from 'node:fs';
import { toErrorDocument } from '../../runtime/index.js';

/** A library the command stands on: whether it can be loaded here, and in which version. */
export interface ModuleState {
  readonly name: string;
  readonly version: string | null;
  readonly usable: boolean;
  /** Why it cannot be loaded. */
  readonly problem?: string;
}

/** Without these nothing runs. */
export const CORE_MODULES = [
  'xstate',
  'piscina',
  'lmdb',
  'ajv',
  'yaml',
  '@bufbuild/cel',
  'commander',
  'uuid',
] as const;
/** Each serves one part: logs, the runtime in a thread of its own, the service, its metrics. */
export const OPTIONAL_MODULES = ['pino', 'pino-pretty', 'comlink', 'fastify', 'prom-client'] as const;

/** Loads each module, one after the other. Native parts are loaded with them. */
export async function loadModules(names: readonly string[]): Promise<ModuleState[]> {
  const states: ModuleState[] = [];
  for (const name of names) states.push(await loadModule(name));
  return states;
}

async function loadModule(name: string): Promise<ModuleState> {
  try {
    await import(name);
    return { name, version: versionOf(name), usable: true };
  } catch (error) {
    return { name, version: null, usable: false, problem: toErrorDocument(error).message };
  }
}

/** The version in the package.json above a module's entry: `exports` may hide the file from imports. */
function versionOf(name: string): string | null {
  let folder = new URL('.', import.meta.resolve(name));
  for (;;) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
      const { name: found, version } = manifest as { name?: unknown; version?: unknown };
      if (found === name && typeof version === 'string') return version;
    } catch {
      // No package.json here: further up.
    }
    const parent = new URL('..', folder);
    if (parent.pathname === folder.pathname) return null;
    folder = parent;
  }
}
