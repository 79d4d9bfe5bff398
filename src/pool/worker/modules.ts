import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MaestroError } from '../../base/errors.js';
import type { StepFunction } from '../../base/step.js';
import { BUILTIN_MODULES } from './builtin-steps.js';

/** A step as a worker has it. */
export interface LoadedStep {
  readonly fn: StepFunction;
  /** Ours: it leaves nothing running behind, so nobody needs to keep track of what it starts. */
  readonly builtin: boolean;
}

const loaded = new Map<string, LoadedStep>();

/** The step, if this worker has loaded it before. */
export function findStep(url: string, exportName: string): LoadedStep | undefined {
  return loaded.get(`${url}#${exportName}`);
}

/**
 * Imports a step's module, once per worker; failures are not remembered here.
 * @throws STEP_NOT_FOUND when the module or the export does not exist, or is no function
 * @throws STEP_FAILED when the module cannot be loaded; its own error is the cause
 */
export async function loadStep(url: string, exportName: string): Promise<LoadedStep> {
  const builtin = url.startsWith('maestro:');
  const exports = builtin ? builtinModule(url) : await importModule(url);
  const fn = exports.get(exportName);
  if (typeof fn !== 'function') throw notAStep(url, exportName, exports);
  const step = { fn: fn as StepFunction, builtin };
  loaded.set(`${url}#${exportName}`, step);
  return step;
}

type Exports = ReadonlyMap<string, unknown>;

function builtinModule(url: string): Exports {
  const exports = BUILTIN_MODULES.get(url);
  if (exports !== undefined) return exports;
  const known = [...BUILTIN_MODULES.keys()].join(', ');
  throw new MaestroError('STEP_NOT_FOUND', `there is no built-in step module ${url}; there are ${known}`);
}

async function importModule(url: string): Promise<Exports> {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  try {
    const namespace = (await import(url)) as Record<string, unknown>;
    return exportsOf(namespace);
  } catch (error) {
    if (url.startsWith('file:') && !existsSync(path)) {
      throw new MaestroError('STEP_NOT_FOUND', `the step module ${path} does not exist`, {
        details: { url },
      });
    }
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new MaestroError('STEP_FAILED', `the step module ${path} cannot be loaded: ${why}`, {
      cause: error,
      details: { url },
    });
  }
}

/** Own exports, and those of a CommonJS module's object that Node has not found by itself. */
function exportsOf(namespace: Record<string, unknown>): Exports {
  const inner = namespace['default'];
  const extra = typeof inner === 'object' && inner !== null ? Object.entries(inner) : [];
  return new Map([...extra, ...Object.entries(namespace)]);
}

function notAStep(url: string, exportName: string, exports: Exports): MaestroError {
  const functions = [...exports].filter(([, value]) => typeof value === 'function').map(([name]) => name);
  const what = exports.has(exportName) ? 'is not a function' : 'does not exist';
  const available = functions.length === 0 ? 'it exports no function' : `it exports ${functions.join(', ')}`;
  return new MaestroError('STEP_NOT_FOUND', `${exportName} of step module ${url} ${what}; ${available}`, {
    details: { url, export: exportName, available: functions },
  });
}
