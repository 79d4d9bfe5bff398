import { accessSync, constants, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createRuntime,
  defineWorkflow,
  toErrorDocument,
  type Runtime,
  type WorkflowStatus,
} from '../../runtime/index.js';
import { count } from '../format/text.js';
import { storeExists, type StoreLocation } from '../store-location.js';

/** A part of the runtime and whether it works here. */
export interface PartState {
  readonly name: 'store' | 'threads' | 'processes';
  readonly usable: boolean;
  readonly detail: string;
}

/** What is wrong with a store is told, never thrown, and none is created. */
export async function storePart(
  location: StoreLocation,
): Promise<PartState & { readonly stored: number | null }> {
  const { path, url } = location;
  if (path === null)
    return { name: 'store', usable: true, detail: 'memory: nothing outlives the process', stored: 0 };
  try {
    if (!storeExists(location)) {
      const folder = nearestFolder(path);
      if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
      accessSync(folder, constants.W_OK);
      return {
        name: 'store',
        usable: true,
        detail: `${path} does not exist yet; it can be created`,
        stored: 0,
      };
    }
    const runtime = await createRuntime({ store: url, recover: false });
    try {
      const stored = total(await runtime.counts());
      return { name: 'store', usable: true, detail: `${path} holds ${count(stored, 'execution')}`, stored };
    } finally {
      await runtime.close();
    }
  } catch (error) {
    return { name: 'store', usable: false, detail: toErrorDocument(error).message, stored: null };
  }
}

/** Runs one node on a worker thread and one in a child process, in memory. */
export async function workerParts(): Promise<PartState[]> {
  const artifactRoot = mkdtempSync(join(tmpdir(), 'maestro-probe-'));
  const runtime = await createRuntime({ store: 'memory:', artifactRoot, pool: { threads: 1, commands: 1 } });
  try {
    return [
      await part(runtime, 'threads', { uses: 'maestro:noop#task' }, 'a step ran on a worker thread'),
      await part(runtime, 'processes', { run: 'true' }, 'a command ran in a child process'),
    ];
  } finally {
    await runtime.close({ drainMs: 0 });
    rmSync(artifactRoot, { recursive: true, force: true });
  }
}

async function part(
  runtime: Runtime,
  name: PartState['name'],
  executor: { uses: string } | { run: string },
  success: string,
): Promise<PartState> {
  const workflow = defineWorkflow({ id: `probe_${name}` })
    .node('probe', { ...executor, timeoutSeconds: 30 })
    .build();
  const { status, error } = await (await runtime.start(workflow)).result;
  if (status === 'completed') return { name, usable: true, detail: success };
  return { name, usable: false, detail: error?.message ?? status };
}

function total(counts: Readonly<Record<WorkflowStatus, number>>): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

/** The folder itself, or the nearest one above it that exists. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
