import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isMaestroError, MaestroError } from '../base/errors.js';
import { isValidId } from '../base/ids.js';
import { executionFolder, safeFolder } from '../base/safe-folder.js';
import type { KvOp } from '../store/kv.js';
import type { ArtifactFile, ArtifactManifest } from '../store/artifact-rows.js';
import { digest, foldersIn, openWithin, removeFolder, writeWhole } from '../store/artifact-files.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { FOLDER_MARK } from '../supervisor/artifacts.js';
import type { ArtifactDocument, ArtifactFilter } from './artifact-types.js';
import { notFound } from './history.js';

/** The artifacts of the last run of each node of an execution. @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, RECORD_CORRUPT */
export async function readArtifacts(
  store: ExecutionStore,
  root: string,
  executionId: string,
  { nodeId, artifactId, verify = false }: ArtifactFilter = {},
): Promise<ArtifactDocument[]> {
  const record = await store.getRecord(executionId);
  const spec = record && (await store.getDefinition(record.definitionHash));
  if (spec === undefined) throw notFound(executionId);
  if (nodeId !== undefined && !spec.nodes.some(({ id }) => id === nodeId)) {
    const message = `execution ${executionId} has no node ${JSON.stringify(nodeId)}`;
    throw new MaestroError('NODE_NOT_FOUND', message);
  }
  const last = new Map<number, ArtifactManifest>();
  for await (const manifest of store.manifests(executionId)) last.set(manifest.node, manifest);
  const documents: ArtifactDocument[] = [];
  for (const [node, manifest] of last) {
    const id = spec.nodes[node]?.id ?? String(node);
    if (nodeId !== undefined && id !== nodeId) continue;
    const { workflowId } = record!;
    const folder = join(executionFolder(root, workflowId, manifest.of ?? executionId), safeFolder(id));
    for (const file of manifest.files) {
      const document = documentOf(executionId, id, folder, manifest, file);
      if (artifactId === undefined || artifactId === document.artifact_id) documents.push(document);
    }
  }
  if (verify) for (const document of documents) document.verified = await verified(document);
  return documents;
}

function documentOf(
  executionId: string,
  node_id: string,
  folder: string,
  { run, attempt }: ArtifactManifest,
  { path, state, sizeBytes, sha256, mediaType }: ArtifactFile,
): ArtifactDocument {
  const name = createHash('sha256').update(JSON.stringify([executionId, node_id, path]));
  return {
    artifact_id: name.digest('hex').slice(0, 24),
    node_id,
    path,
    type: mediaType,
    size_bytes: sizeBytes,
    checksum: sha256,
    state,
    metadata: { run, attempt },
    folder,
  };
}

/**
 * Opens the file of an artifact to be read: only that file, in its node's folder, and only with the size that it had.
 * Close it. @throws ARTIFACT_MISSING, ARTIFACT_OUTSIDE, ARTIFACT_CHANGED
 */
export async function openArtifact({
  node_id,
  path,
  state,
  folder,
  size_bytes,
}: ArtifactDocument): Promise<FileHandle> {
  if (state !== 'stored') {
    const code = state === 'outside' ? 'ARTIFACT_OUTSIDE' : 'ARTIFACT_MISSING';
    const message = `artifact ${JSON.stringify(path)} of node ${JSON.stringify(node_id)} was ${state} when the node returned it`;
    throw new MaestroError(code, message);
  }
  const handle = await openWithin(folder, path);
  const { size } = await handle.stat();
  if (size === size_bytes) return handle;
  await handle.close();
  throw changed(node_id, path, `it has ${size} bytes, not ${size_bytes}`);
}

/** Reads an artifact piece by piece. @throws what openArtifact does; ARTIFACT_CHANGED at the end for other content */
export async function readArtifact(
  artifact: ArtifactDocument,
  into?: (piece: Buffer) => Promise<unknown>,
): Promise<void> {
  const handle = await openArtifact(artifact);
  try {
    const { sha256 } = await digest(handle, into);
    if (sha256 !== artifact.checksum)
      throw changed(artifact.node_id, artifact.path, 'its content is another one');
  } finally {
    await handle.close();
  }
}

function changed(nodeId: string, path: string, how: string): MaestroError {
  const message = `artifact ${JSON.stringify(path)} of node ${JSON.stringify(nodeId)} has changed: ${how}`;
  return new MaestroError('ARTIFACT_CHANGED', message);
}

async function verified(artifact: ArtifactDocument): Promise<ArtifactDocument['verified']> {
  try {
    await readArtifact(artifact);
    return 'ok';
  } catch (error) {
    if (isMaestroError(error, 'ARTIFACT_CHANGED')) return 'changed';
    return isMaestroError(error, 'ARTIFACT_OUTSIDE') ? 'outside' : 'missing';
  }
}

/** The manifests of nodes whose results a fork keeps: their files stay where they are. */
export async function forkManifests(
  store: ExecutionStore,
  root: string,
  { workflowId, executionId }: ExecutionRecord,
  to: string,
  runOf: (node: number) => number | undefined,
): Promise<KvOp[]> {
  const ops: KvOp[] = [];
  const owners = new Set<string>();
  for await (const manifest of store.manifests(executionId)) {
    if (runOf(manifest.node) !== manifest.run) continue;
    const of = manifest.of ?? executionId;
    owners.add(of);
    ops.push(store.putManifest(to, { ...manifest, run: 0, of }));
  }
  // Before the fork is stored: whoever deletes the owner from now on looks for forks.
  for (const owner of owners) {
    const folder = executionFolder(root, workflowId, owner);
    await writeWhole(join(folder, FORK_MARK), '', true).catch(() => {});
  }
  return ops;
}

/** In a folder whose files forks may have, too. */
const FORK_MARK = '.forked';

/** Removes the artifacts of an execution that was deleted, unless a fork of it has them, too. */
export async function removeArtifacts(
  store: ExecutionStore,
  root: string,
  record: ExecutionRecord,
): Promise<void> {
  const { workflowId, executionId } = record;
  if (!isValidId(workflowId) || !isValidId(executionId)) return;
  const folder = executionFolder(root, workflowId, executionId);
  // Most have none: then nothing waits for a disk, which in a simulated world would be a real one.
  if (!existsSync(folder)) return;
  if (!(await isHeld(store, folder, record))) await removeFolder(folder);
}

/** How long nothing must have happened in a folder before it counts as left behind. */
const ORPHAN_AGE_MS = 24 * 3600 * 1000;

/**
 * Removes the folders of executions that are no longer there: a crash came between a deletion and its files, or a fork that
 * held them is gone. Only folders that bear our mark; what else is under the root is not ours. @returns how many went
 */
export async function removeOrphans(
  store: ExecutionStore,
  root: string,
  { nowMs, isHere, dryRun }: { nowMs: number; isHere: (id: string) => boolean; dryRun: boolean },
): Promise<string[]> {
  const removed: string[] = [];
  for (const workflowId of await foldersIn(root)) {
    for (const executionId of await foldersIn(join(root, workflowId))) {
      if (!isValidId(workflowId) || !isValidId(executionId) || isHere(executionId)) continue;
      const folder = executionFolder(root, workflowId, executionId);
      const markedAtMs = await markedAs(folder, executionId);
      if (markedAtMs === null || nowMs - markedAtMs < ORPHAN_AGE_MS) continue;
      if (await exists(store, executionId)) continue;
      if (await isHeld(store, folder, { workflowId, executionId })) continue;
      if (!dryRun) await removeFolder(folder);
      removed.push(executionId);
    }
  }
  return removed;
}

/** When our mark was put there; null: there is none, or that of another execution. */
async function markedAs(folder: string, executionId: string): Promise<number | null> {
  try {
    const handle = await openWithin(folder, FOLDER_MARK);
    try {
      const { mtimeMs } = await handle.stat();
      const mark = JSON.parse(await handle.readFile('utf8')) as { execution_id?: unknown } | null;
      return mark?.execution_id === executionId ? mtimeMs : null;
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** A damaged record is one all the same. */
async function exists(store: ExecutionStore, executionId: string): Promise<boolean> {
  try {
    return (await store.getRecord(executionId)) !== undefined;
  } catch {
    return true;
  }
}

/** Whether a stored execution has manifests that name this one's folder: forks are listed with their workflow. */
async function isHeld(
  store: ExecutionStore,
  folder: string,
  { workflowId, executionId }: Pick<ExecutionRecord, 'workflowId' | 'executionId'>,
): Promise<boolean> {
  const isForked = await access(join(folder, FORK_MARK)).then(
    () => true,
    () => false,
  );
  if (!isForked) return false;
  let after: string | undefined;
  do {
    const page = await store.list({ workflowId, limit: 200, after });
    for (const other of page.records) {
      const { forked_from } = other.options as { forked_from?: unknown };
      if (forked_from === undefined || other.executionId === executionId) continue;
      for await (const { of } of store.manifests(other.executionId)) if (of === executionId) return true;
    }
    after = page.next;
  } while (after !== undefined);
  return false;
}
