// SHA-256 of every file, in shards, and the files that are byte for byte the same.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byCount, collected, compareText, eachFile, shardOf } from './lib/files.mjs';

const LISTED = 50;

/** Config: `shard`, `shards`. The checksums are an artifact; the output only says how many there are. */
export async function hashFiles(context) {
  const { root, files } = await collected(context);
  const hashes = [];
  const unreadable = await eachFile(context, root, shardOf(files, context.nodeConfig), (file, bytes) => {
    hashes.push([createHash('sha256').update(bytes).digest('hex'), file.path, bytes.length]);
  });
  const list = join(context.artifactDir(), 'sha256.json');
  await writeFile(list, JSON.stringify(hashes));
  return { files: hashes.length, unreadable, artifacts: [list] };
}

/** Joins the shards' checksums. Empty files are the same by nature and not listed. */
export async function exactDuplicates(context) {
  const groups = new Map();
  for (const [list] of Object.values(context.dependencyArtifacts)) {
    for (const [hash, path, size] of JSON.parse(await readFile(list, 'utf8'))) {
      if (size === 0) continue;
      const group = groups.get(hash);
      if (group) group.paths.push(path);
      else groups.set(hash, { sha256: hash, size_bytes: size, paths: [path] });
    }
  }
  const duplicates = [...groups.values()].filter((group) => group.paths.length > 1);
  for (const group of duplicates) group.paths.sort(compareText);
  const wasted = (group) => group.size_bytes * (group.paths.length - 1);
  duplicates.sort(byCount(wasted, (group) => group.paths[0]));
  return {
    groups: duplicates.length,
    wasted_bytes: duplicates.reduce((sum, group) => sum + wasted(group), 0),
    largest: duplicates.slice(0, LISTED).map((group) => ({ ...group, paths: group.paths.slice(0, LISTED) })),
  };
}
