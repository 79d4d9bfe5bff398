import { dirname, join } from 'node:path';
import { isMaestroError, type ErrorDocument } from '../base/errors.js';
import type { Durability } from '../base/model.js';
import { executionFolder, safeFolder } from '../base/safe-folder.js';
import type { JobOutcome } from '../pool/index.js';
import type { ArtifactFile } from '../store/artifact-rows.js';
import {
  digest,
  mediaTypeOf,
  openWithin,
  pathWithin,
  syncFolders,
  writeWhole,
} from '../store/artifact-files.js';
import type { RunningJob } from './running-job.js';

/** Says that an execution's folder is ours, and whose. */
export const FOLDER_MARK = '.maestro.json';

type Success = Extract<JobOutcome, { ok: true }>;

/** What became of the artifacts of an attempt: all of them were read, or the attempt has failed. */
export type ArtifactReading = { readonly files: readonly ArtifactFile[] } | { readonly error: ErrorDocument };

/**
 * Reads what steps have returned as artifacts, before their success counts: what is in a manifest was there, whole, and
 * under `sync` is on disk. Files are read piece by piece, those of one attempt one after another.
 */
export class ArtifactReader {
  constructor(
    private readonly root: string,
    private readonly durability: Durability,
  ) {}

  /** Never rejects. */
  async read({ execution, node }: RunningJob, { artifacts }: Success): Promise<ArtifactReading> {
    const { workflowId } = execution.record;
    const home = executionFolder(this.root, workflowId, execution.id);
    const nodeId = execution.definition.plan.ids[node];
    const folder = join(home, safeFolder(nodeId));
    const files: ArtifactFile[] = [];
    const failures: Failure[] = [];
    for (const path of new Set(artifacts.map((each) => pathWithin(folder, each) ?? each))) {
      try {
        files.push(await this.file(folder, path));
      } catch (cause) {
        failures.push({ path, cause });
      }
    }
    if (files.length > 0) await this.mark(home, execution.id).catch(() => {});
    return failures.length > 0 ? { error: errorOf(nodeId, folder, failures) } : { files };
  }

  /** @throws ARTIFACT_MISSING, ARTIFACT_OUTSIDE, and what the disk says */
  private async file(folder: string, path: string): Promise<ArtifactFile> {
    const handle = await openWithin(folder, path);
    try {
      const { sizeBytes, sha256 } = await digest(handle);
      if (this.durability === 'sync') {
        await handle.sync();
        await syncFolders(dirname(join(folder, path)), this.root);
      }
      return { path, state: 'stored', sizeBytes, sha256, mediaType: mediaTypeOf(path) };
    } finally {
      await handle.close();
    }
  }

  private async mark(home: string, executionId: string): Promise<void> {
    await writeWhole(
      join(home, FOLDER_MARK),
      JSON.stringify({ execution_id: executionId }),
      this.durability === 'sync',
    );
  }
}

/** A path that a step has returned, and why it is no artifact. */
interface Failure {
  readonly path: string;
  readonly cause: unknown;
}

/** Paths that an error names; a step may return very many. */
const MOST_TOLD = 20;

/** The error of an attempt that returned what is no artifact; one outside is told first. */
function errorOf(nodeId: string, folder: string, failures: readonly Failure[]): ErrorDocument {
  const outside = failures.find(({ cause }) => isMaestroError(cause, 'ARTIFACT_OUTSIDE'));
  const { path, cause } = outside ?? failures[0];
  const { message: why, code } = isMaestroError(cause, 'ARTIFACT_OUTSIDE')
    ? cause
    : { message: (cause as Error).message, code: 'ARTIFACT_MISSING' };
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more like it)` : '';
  return {
    name: 'MaestroError',
    code,
    message: `node ${JSON.stringify(nodeId)} returned an artifact that is none: ${why}${more}; its folder is ${folder}`,
    details: { path, paths: failures.slice(0, MOST_TOLD).map((each) => each.path), folder },
  };
}
