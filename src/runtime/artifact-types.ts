/** A file that a node has returned as an artifact. */
export interface ArtifactDocument {
  /** Names it within its execution; the same whenever it is asked for. */
  artifact_id: string;
  node_id: string;
  /** Within the node's folder; as the step gave it when it is not in there. */
  path: string;
  /** Media type, by the end of its name. */
  type: string;
  size_bytes: number;
  /** SHA-256 in hexadecimal; empty when it was never read. */
  checksum: string;
  /** missing, outside (of its node's folder): an earlier release took such a one, and did not read it. */
  state: 'stored' | 'missing' | 'outside';
  metadata: { run: number; attempt: number };
  /** The node's folder, absolute. */
  folder: string;
  /** Only when asked for: what was found when it was read again. */
  verified?: 'ok' | 'missing' | 'changed' | 'outside';
}

export interface ArtifactFilter {
  nodeId?: string;
  artifactId?: string;
  /** Reads every file again. Default false. */
  verify?: boolean;
}
