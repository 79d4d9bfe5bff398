// Near-duplicate code: blocks that are the same after comments, layout, texts and numbers are taken away.
//
// `fingerprintBlocks` (in shards) turns each file into the hashes of its normalised lines and a rolling hash
// (Rabin–Karp) over every WINDOW of them. `nearDuplicates` joins the shards: windows that occur again are
// compared line by line and grown to the longest equal block, so that a chance collision is never reported.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byCount, collected, compareText, eachText, hash32, shardOf } from './lib/files.mjs';
import { isSource } from './lib/languages.mjs';
import { classify, CODE, keep, STRING } from './lib/scan.mjs';

/** Lines that must agree, one after another, for a block to count. */
export const WINDOW = 8;
const BASE = 0x01000193;
const LISTED = 50;

/** Config: `shard`, `shards`. */
export async function fingerprintBlocks(context) {
  const { root, files } = await collected(context);
  const sources = shardOf(files, context.nodeConfig).filter((file) => isSource(file.language));
  const prints = [];
  const unreadable = await eachText(context, root, sources, (file, text) => {
    const { lines, hashes } = normalise(text, file.language);
    prints.push({ path: file.path, lines, hashes, windows: rollingHashes(hashes) });
  });
  const list = join(context.artifactDir(), 'fingerprints.json');
  await writeFile(list, JSON.stringify(prints));
  return { files: prints.length, unreadable, artifacts: [list] };
}

/** Line numbers (from 1) and hashes of the lines that say something; brackets alone do not. */
export function normalise(text, language) {
  const classes = classify(text, language);
  const code = keep(text, classes, CODE);
  const strings = keep(text, classes, STRING);
  const lines = [];
  const hashes = [];
  const stringLines = strings.split('\n');
  for (const [index, line] of code.split('\n').entries()) {
    const bare = line.replace(/\b\d[\w.]*/g, '0').replace(/\s+/g, '');
    if (!/\w/.test(bare)) continue;
    lines.push(index + 1);
    // A text's presence counts, its content does not.
    hashes.push(hash32(stringLines[index].trim() === '' ? bare : `${bare}""`));
  }
  return { lines, hashes };
}

/** The hash of every WINDOW consecutive hashes, each from the one before it (32-bit polynomial). */
export function rollingHashes(hashes) {
  if (hashes.length < WINDOW) return [];
  let power = 1;
  for (let i = 1; i < WINDOW; i++) power = Math.imul(power, BASE);
  let hash = 0;
  const windows = [];
  for (let i = 0; i < hashes.length; i++) {
    if (i >= WINDOW) hash = (hash - Math.imul(hashes[i - WINDOW], power)) | 0;
    hash = (Math.imul(hash, BASE) + hashes[i]) | 0;
    if (i >= WINDOW - 1) windows.push(hash >>> 0);
  }
  return windows;
}

export async function nearDuplicates(context) {
  const files = [];
  for (const [list] of Object.values(context.dependencyArtifacts)) {
    files.push(...JSON.parse(await readFile(list, 'utf8')));
  }
  files.sort((a, b) => compareText(a.path, b.path));
  const blocks = [];
  const first = new Map(); // window hash → where it occurred first
  const covered = new Map(); // pair of files and distance → up to which line it is part of a block already
  const copied = new Set();
  for (const [index, file] of files.entries()) {
    context.signal.throwIfAborted();
    if (index % 20 === 0) context.progress(index / files.length, file.path);
    for (const [start, hash] of file.windows.entries()) {
      const origin = first.get(hash);
      if (!origin) {
        first.set(hash, { file: index, start });
        continue;
      }
      const pair = `${origin.file}:${index}:${start - origin.start}`;
      if ((covered.get(pair) ?? -1) >= start + WINDOW) continue;
      const length = equalLength(files[origin.file], origin.start, file, start, origin.file === index);
      if (length < WINDOW) continue;
      covered.set(pair, start + length);
      for (let i = start; i < start + length; i++) copied.add(`${index}:${i}`);
      blocks.push({
        lines: length,
        original: place(files[origin.file], origin.start, length),
        copy: place(file, start, length),
      });
    }
  }
  blocks.sort(
    byCount(
      (block) => block.lines,
      (block) => block.copy.path,
    ),
  );
  return {
    window_lines: WINDOW,
    source_files: files.length,
    blocks: blocks.length,
    duplicated_lines: copied.size,
    largest: blocks.slice(0, LISTED),
  };
}

/** How many lines agree from the two places on. Within one file, a block does not reach into its own copy. */
function equalLength(a, startA, b, startB, sameFile) {
  const limit = sameFile ? startB - startA : Infinity;
  let length = 0;
  while (
    length < limit &&
    startB + length < b.hashes.length &&
    startA + length < a.hashes.length &&
    a.hashes[startA + length] === b.hashes[startB + length]
  ) {
    length += 1;
  }
  return length;
}

function place(file, start, length) {
  return { path: file.path, from: file.lines[start], to: file.lines[start + length - 1] };
}
