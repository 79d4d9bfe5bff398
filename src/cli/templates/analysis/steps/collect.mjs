// Walks the folder and lists its files. Everything else works on this list, so it is made once.
import { constants } from 'node:fs';
import { access, open, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { compareText } from './lib/files.mjs';
import { languageOf } from './lib/languages.mjs';

const DEFAULTS = {
  skip: [
    'node_modules',
    '.git',
    '.hg',
    '.svn',
    '.maestro',
    'dist',
    'coverage',
    '.venv',
    '__pycache__',
    '.cache',
  ],
  max_file_bytes: 1_000_000,
  max_files: 100_000,
};
const SNIFF_BYTES = 8192;
const NOTED = 200;

/** Retrying cannot help against a wrong input: the workflow lists this name as not retryable. */
class InputError extends Error {
  name = 'InputError';
}

/**
 * Config: `skip` (names of files and folders), `max_file_bytes`, `max_files`. Context: `root`, relative to the
 * working directory; default the working directory. The list itself is an artifact, because it can be large.
 */
export async function collect(context) {
  const limits = { ...DEFAULTS, ...context.nodeConfig };
  const root = await rootOf(context.globalContext.root);
  const found = await walk(context, root, limits);
  found.files.sort((a, b) => compareText(a.path, b.path));
  found.noted.sort((a, b) => compareText(a.path, b.path));
  const list = join(context.artifactDir(), 'files.json');
  await writeFile(list, JSON.stringify({ root, files: found.files }));
  return {
    root,
    git: await insideGit(root),
    files: found.files.length,
    size_bytes: found.files.reduce((sum, file) => sum + file.size, 0),
    binary_files: found.files.filter((file) => file.binary).length,
    symlinks_not_followed: found.symlinks,
    skipped_by_name: found.skipped,
    truncated: found.truncated,
    noted_count: found.noted.length,
    noted: found.noted.slice(0, NOTED),
    artifacts: [list],
  };
}

async function rootOf(value = '.') {
  if (typeof value !== 'string' || value === '') {
    throw new InputError('context "root" must be the path of a folder, such as "../other"');
  }
  const root = resolve(value);
  const info = await stat(root).catch((error) => {
    throw new InputError(`cannot analyse ${root}: ${error.code}`, { cause: error });
  });
  if (!info.isDirectory()) throw new InputError(`cannot analyse ${root}: it is not a folder`);
  return root;
}

async function walk(context, root, limits) {
  const skip = new Set(limits.skip);
  const found = { files: [], noted: [], symlinks: 0, skipped: 0, truncated: false };
  const folders = [''];
  let seen = 0;
  while (folders.length > 0 && !found.truncated) {
    context.signal.throwIfAborted();
    const folder = folders.pop();
    const entries = await list(root, folder, found.noted);
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (skip.has(entry.name)) found.skipped += 1;
      else if (entry.isSymbolicLink()) found.symlinks += 1;
      else if (entry.isDirectory()) folders.push(path);
      else if (!entry.isFile()) found.noted.push({ path, reason: 'not a regular file' });
      else if (found.files.length >= limits.max_files) found.truncated = true;
      else await add(root, path, limits, found);
    }
    seen += 1;
    // How much is left is unknown while walking: the share of folders done is the best guess.
    if (seen % 20 === 0) context.progress(seen / (seen + folders.length), `${found.files.length} files`);
  }
  return found;
}

async function list(root, folder, noted) {
  try {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    return entries.sort((a, b) => compareText(a.name, b.name));
  } catch (error) {
    noted.push({ path: folder === '' ? '.' : folder, reason: `folder not readable: ${error.code}` });
    return [];
  }
}

async function add(root, path, limits, found) {
  let file;
  try {
    file = await open(join(root, path), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    const { size } = await file.stat();
    if (size > limits.max_file_bytes) {
      found.noted.push({ path, reason: `larger than ${limits.max_file_bytes} bytes (${size})` });
      return;
    }
    const head = Buffer.alloc(Math.min(SNIFF_BYTES, size));
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const binary = isBinary(head.subarray(0, bytesRead));
    found.files.push({ path, size, binary, language: binary ? null : languageOf(path) });
  } catch (error) {
    found.noted.push({ path, reason: `not readable: ${error.code ?? error}` });
  } finally {
    await file?.close();
  }
}

/** A zero byte near the beginning means binary, unless a byte order mark says UTF-16. */
function isBinary(head) {
  return head.includes(0) && !(head[0] === 0xff && head[1] === 0xfe);
}

/** Whether the folder or one above it is a git work tree (`.git` is a file in linked work trees). */
async function insideGit(root) {
  for (let folder = root; ; folder = dirname(folder)) {
    const there = await access(join(folder, '.git')).then(
      () => true,
      () => false,
    );
    if (there) return true;
    if (dirname(folder) === folder) return false;
  }
}
