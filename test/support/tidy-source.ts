import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

/** A file of the repository; `path` is relative to its root, with `/`. */
export interface TidyFile {
  readonly path: string;
  readonly text: string;
}

/** Every text file that git would track: what `.gitignore` names is left out, so a clone without git will do. */
export function readRepository(root: string): TidyFile[] {
  const ignored = ignorePatterns(readFileSync(join(root, '.gitignore'), 'utf8'));
  const files: TidyFile[] = [];
  const folders = [''];
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.name === '.git' || ignored.some((pattern) => pattern(entry.name))) continue;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) {
        const text = readFileSync(join(root, path), 'latin1').includes('\0')
          ? ''
          : readFileSync(join(root, path), 'utf8');
        files.push({ path, text });
      }
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The two forms that this repository's `.gitignore` has: `name/` and `*.ending`. */
function ignorePatterns(text: string): ((name: string) => boolean)[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) =>
    line.startsWith('*')
      ? (name) => name.endsWith(line.slice(1))
      : (name) => name === line.replace(/\/$/, ''),
  );
}

const parsed = new WeakMap<TidyFile, ts.SourceFile>();

function parse(file: TidyFile): ts.SourceFile {
  const known = parsed.get(file);
  if (known) return known;
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  parsed.set(file, source);
  return source;
}

/** `path:line` of a node or of an offset. */
export function placeOf(file: TidyFile, position: number): string {
  return `${file.path}:${file.text.slice(0, position).split('\n').length}`;
}

/** All that `visit` returns for the nodes of a file; `undefined` is left out. */
export function collectNodes<T>(file: TidyFile, visit: (node: ts.Node) => T | undefined): T[] {
  const found: T[] = [];
  const walk = (node: ts.Node): void => {
    const value = visit(node);
    if (value !== undefined) found.push(value);
    node.forEachChild(walk);
  };
  walk(parse(file));
  return found;
}

export interface Import {
  readonly specifier: string;
  readonly position: number;
}

/** What a file imports or re-exports: static, dynamic, of types only, and `typeof import('…')`. */
export function importsOf(file: TidyFile): Import[] {
  return collectNodes(file, (node) => {
    const name = importedName(node);
    if (name === undefined || !ts.isStringLiteralLike(name)) return undefined;
    return { specifier: name.text, position: name.getStart() };
  });
}

function importedName(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  return undefined;
}

/** The name a chain such as `it.skip.each` begins with. */
export function rootName(expression: ts.Expression): string | undefined {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression)) {
    return rootName(expression.expression);
  }
  return undefined;
}
