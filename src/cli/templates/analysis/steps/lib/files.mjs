// What the steps share: the list of files that `collect` made, its shards, and reading texts safely.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Orders texts by UTF-16 units: the same on every machine, whatever its locale. */
export const compareText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Orders by a number, largest first, then by a text. */
export const byCount = (count, text) => (a, b) => count(b) - count(a) || compareText(text(a), text(b));

/** A stable 32-bit hash of a text (FNV-1a). */
export function hash32(text, seed = 0x811c9dc5) {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The list that `collect` left as an artifact: `{ root, files: [{ path, size, binary, language }] }`. */
export async function collected(context) {
  const [path] = context.dependencyArtifacts.collect;
  return JSON.parse(await readFile(path, 'utf8'));
}

/** The part of `files` that this node works on. Shards are by hash of the path, so they are even and stable. */
export function shardOf(files, { shard = 0, shards = 1 }) {
  return files.filter((file) => hash32(file.path) % shards === shard);
}

/** Decodes what is UTF-8, UTF-16 with a byte order mark, or else Latin-1, which every byte sequence is. */
export function decode(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) {
    return { text: new TextDecoder('utf-16le').decode(bytes), encoding: 'utf-16le' };
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'utf-8' };
  } catch {
    return { text: Buffer.from(bytes).toString('latin1'), encoding: 'latin-1' };
  }
}

/**
 * Reads the files one after another and hands each to `visit(file, bytes)`. Reports progress, stops when the
 * attempt is cancelled, and returns the files that could not be read, with the reason.
 */
export async function eachFile(context, root, files, visit) {
  const unreadable = [];
  for (const [index, file] of files.entries()) {
    context.signal.throwIfAborted();
    if (index % 50 === 0) context.progress(index / files.length, file.path);
    let bytes;
    try {
      bytes = await readFile(join(root, file.path));
    } catch (error) {
      unreadable.push({ path: file.path, reason: error.code ?? String(error) });
      continue;
    }
    visit(file, bytes);
  }
  context.progress(1);
  return unreadable;
}

/** Like eachFile, for the text files among `files`: `visit(file, text, encoding)`. Line ends become `\n`. */
export function eachText(context, root, files, visit) {
  const texts = files.filter((file) => !file.binary);
  return eachFile(context, root, texts, (file, bytes) => {
    const { text, encoding } = decode(bytes);
    visit(file, text.replace(/\r\n?/g, '\n'), encoding);
  });
}
