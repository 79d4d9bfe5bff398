import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MaestroError } from '../base/errors.js';

/** What `uses` names. Built-in steps have a `maestro:` URL, all others a file's. */
export interface UsesRef {
  readonly kind: 'builtin' | 'file';
  readonly url: string;
  /** Absolute path of the module; undefined for built-in steps. */
  readonly file?: string;
  readonly exportName: string;
}

/** Steps that come with this package, as `uses` names them. */
export const BUILTIN_STEPS: readonly string[] = [
  'maestro:noop#task',
  'maestro:sleep#task',
  'maestro:spin#task',
];

const EXPORT_NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * Resolves `./module.js#exportName` against a folder.
 * @throws SPEC_INVALID when the text is not of that form
 */
export function resolveUses(uses: string, baseDir: string): UsesRef {
  const hash = uses.lastIndexOf('#');
  if (hash < 0) throw malformed(uses, 'it has no export name: write "./module.js#exportName"');
  const module = uses.slice(0, hash);
  const exportName = uses.slice(hash + 1);
  if (!EXPORT_NAME.test(exportName)) throw malformed(uses, `${JSON.stringify(exportName)} is no export name`);
  if (module.startsWith('maestro:')) {
    if (!BUILTIN_STEPS.includes(uses))
      throw malformed(uses, `the built-in steps are ${BUILTIN_STEPS.join(', ')}`);
    return { kind: 'builtin', url: module, exportName };
  }
  const file = fileOf(uses, module, baseDir);
  return { kind: 'file', url: pathToFileURL(file).href, file, exportName };
}

function fileOf(uses: string, module: string, baseDir: string): string {
  if (module.includes('\0')) throw malformed(uses, 'it has a NUL character');
  if (/^\.\.?\//.test(module) || isAbsolute(module)) return resolve(baseDir, module);
  if (!module.startsWith('file:')) {
    throw malformed(uses, 'the module must start with "./", "../", "/", "file:" or "maestro:"');
  }
  try {
    return fileURLToPath(module);
  } catch (cause) {
    throw malformed(uses, 'it is not a usable file URL', cause);
  }
}

function malformed(uses: string, why: string, cause?: unknown): MaestroError {
  return new MaestroError('SPEC_INVALID', `uses ${JSON.stringify(uses)} cannot be resolved: ${why}`, {
    cause,
  });
}
