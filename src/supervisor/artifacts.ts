import { dirname, join } from 'node:path';
import { isMaestroError } from '../base/errors.js';
import type { Durability } from '../base/model.js';
import type { JobOutcome } from '../pool/index.js';
import type { ArtifactFile } from '../store/artifact-rows.js';
import {
  digest,
  executionFolder,
  mediaTypeOf,
  openWithin,
  pathWithin,
  safeFolder,
  syncFolders,
  writeWhole,
} from '../store/artifact-files.js';
import type { RunningJob } from './jobs.js';

/** Says that an execution's folder is ours, and whose. */
export const FOLDER_MARK = '.maestro.json';

type Success = Extract<JobOutcome, { ok: true }>;

/**
 * Reads what steps have returned as artifacts, before their success counts: what is in a manifest was there, whole, and
 * under `sync` is on disk. Files are read piece by piece, those of one attempt one after another.
 */
export class ArtifactReader {
  constructor(
    private readonly root: string,
    private readonly durability: Durability,
  ) {}

  /** Never rejects: what cannot be read is listed as missing. */
  async read({ execution, node }: RunningJob, { artifacts }: Success): Promise<ArtifactFile[]> {
    const { workflowId } = execution.record;
    const home = executionFolder(this.root, workflowId, execution.id);
    const folder = join(home, safeFolder(execution.definition.plan.ids[node]));
    const files: ArtifactFile[] = [];
    const paths = new Set(artifacts.map((path) => pathWithin(folder, path) ?? path));
    for (const path of paths) files.push(await this.file(folder, path));
    if (files.some(({ state }) => state === 'stored')) await this.mark(home, execution.id).catch(() => {});
    return files;
  }

  private async file(folder: string, given: string): Promise<ArtifactFile> {
    const path = pathWithin(folder, given) ?? given;
    const none = { path, sizeBytes: 0, sha256: '', mediaType: mediaTypeOf(path) };
    try {
      const handle = await openWithin(folder, given);
      try {
        const { sizeBytes, sha256 } = await digest(handle);
        if (this.durability === 'sync') {
          await handle.sync();
          await syncFolders(dirname(join(folder, path)), this.root);
        }
        return { ...none, state: 'stored', sizeBytes, sha256 };
      } finally {
        await handle.close();
      }
    } catch (error) {
      return { ...none, state: isMaestroError(error, 'ARTIFACT_OUTSIDE') ? 'outside' : 'missing' };
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
