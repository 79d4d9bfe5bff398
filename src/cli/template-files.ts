import { constants, existsSync } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { MaestroError } from '../base/errors.js';

/** What `template.json` of a template says. */
export interface TemplateInfo {
  /** Folder name; what `maestro init --template` takes. */
  name: string;
  title: string;
  description: string;
  /** A command that runs it, inside its folder. */
  run: string;
}

const DESCRIPTION_FILE = 'template.json';

/** The templates that ship with this package, by name. */
export async function listTemplates(): Promise<TemplateInfo[]> {
  const root = templatesDir();
  const entries = await readdir(root, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names
      .sort()
      .map(
        async (name) =>
          JSON.parse(await readFile(join(root, name, DESCRIPTION_FILE), 'utf8')) as TemplateInfo,
      ),
  );
}

/**
 * Copies a template's files into `targetDir`, which is created when missing, and returns their absolute paths, sorted.
 * Looks before it writes: when anything is in the way, nothing is written. With `force`, files of the same names are
 * replaced, links instead of what they point to; folders never are.
 * @throws USAGE for an unknown name or a folder that cannot be written, FILE_EXISTS with all that is in the way
 */
export async function copyTemplate(
  name: string,
  targetDir: string,
  options: { force?: boolean } = {},
): Promise<string[]> {
  const source = await sourceOf(name);
  const target = resolve(targetDir);
  const files = (await filesIn(source)).filter((file) => file !== DESCRIPTION_FILE);
  try {
    await refuseObstacles(name, target, files, options.force ?? false);
    for (const file of files) await place(join(source, file), join(target, file), options.force ?? false);
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    throw new MaestroError('USAGE', `cannot write template "${name}" to ${target}: ${String(error)}`, {
      cause: error,
      next: 'Choose a folder that can be written.',
    });
  }
  return files.map((file) => join(target, file));
}

/** Templates are never compiled: they lie in `src` of the package, wherever this module was compiled to. */
export function templatesDir(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'src', 'cli', 'templates');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) {
      throw new MaestroError('INVARIANT', `no templates found above ${import.meta.dirname}`, {
        next: 'Files of the package are missing: install maestro-dag again.',
      });
    }
  }
}

async function sourceOf(name: string): Promise<string> {
  const names = (await listTemplates()).map((template) => template.name);
  if (!names.includes(name)) {
    throw new MaestroError('USAGE', `there is no template "${name}"; there are: ${names.join(', ')}`, {
      next: `Choose one of ${names.join(', ')}.`,
    });
  }
  return join(templatesDir(), name);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Something is in the way when a file exists (unless forced), or when a folder is needed where there is none. */
async function refuseObstacles(name: string, target: string, files: string[], force: boolean): Promise<void> {
  const obstacles = new Set<string>();
  for (const file of files) {
    const path = join(target, file);
    const kind = await kindOf(path);
    if (kind === 'folder' || (kind === 'file' && !force)) obstacles.add(path);
    for (let folder = dirname(path); folder.length >= target.length; folder = dirname(folder)) {
      if ((await kindOf(folder, folder === target)) === 'file') obstacles.add(folder);
      if (folder === target) break;
    }
  }
  if (obstacles.size === 0) return;
  const list = [...obstacles].sort();
  throw new MaestroError(
    'FILE_EXISTS',
    `template "${name}" would overwrite ${list.length} file(s):\n${list.map((path) => `  ${path}`).join('\n')}`,
    { details: { paths: list } },
  );
}

/**
 * What is at a path. The target may be a link to a folder; a link inside of it counts as a file, so that nothing is
 * written beyond the target.
 */
async function kindOf(path: string, follow = false): Promise<'nothing' | 'file' | 'folder'> {
  try {
    return (await (follow ? stat(path) : lstat(path))).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'nothing';
    throw error;
  }
}

async function place(from: string, to: string, force: boolean): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  if (force) await rm(to, { force: true });
  // Fails if somebody made the file meanwhile: it is never overwritten silently.
  await copyFile(from, to, constants.COPYFILE_EXCL);
}
