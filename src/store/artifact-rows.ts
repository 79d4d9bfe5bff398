import { corrupt, sealJson, unsealJson } from './envelope.js';
import { artifactsKey, artifactsPrefix, numbersOf, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';

/** A file that a node has returned as an artifact. */
export interface ArtifactFile {
  /** Within the node's folder, with `/` between its parts; as the step gave it when it is not in there. */
  readonly path: string;
  /** stored: it was read whole before the node completed. The others never were: only earlier releases took them. */
  readonly state: 'stored' | 'missing' | 'outside';
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly mediaType: string;
}

/** The artifacts of one run of a node. */
export interface ArtifactManifest {
  readonly node: number;
  readonly run: number;
  readonly attempt: number;
  /** The execution whose folder they are in, when it is not this one: a fork keeps those of where it comes from. */
  readonly of?: string;
  readonly files: readonly ArtifactFile[];
}

/** Goes into the same commit as the result: there are all artifacts of a run, or none. */
export function putManifest(executionId: string, manifest: ArtifactManifest): KvOp {
  const { node, run, attempt, of, files } = manifest;
  const key = artifactsKey(executionId, node, run);
  return { op: 'put', key, value: sealJson(key, { attempt, files, ...(of !== undefined && { of }) }) };
}

/** The manifests of an execution, by node and run. @throws RECORD_CORRUPT */
export async function* readManifests(kv: Kv, executionId: string): AsyncGenerator<ArtifactManifest> {
  const prefix = artifactsPrefix(executionId);
  for await (const { key, value } of kv.scan(under(prefix))) {
    const [node, run] = numbersOf(key.slice(prefix.length));
    const stored = unsealJson(key, value) as Partial<ArtifactManifest> | null;
    if (typeof stored?.attempt !== 'number' || !Array.isArray(stored.files) || !stored.files.every(isFile))
      throw corrupt(key, 'it is no list of artifacts');
    yield {
      node,
      run,
      attempt: stored.attempt,
      files: stored.files,
      ...(typeof stored.of === 'string' && { of: stored.of }),
    };
  }
}

function isFile(value: unknown): value is ArtifactFile {
  const { path, state, sizeBytes, sha256 } = (value ?? {}) as Partial<ArtifactFile>;
  return (
    typeof path === 'string' &&
    typeof state === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof sha256 === 'string'
  );
}
