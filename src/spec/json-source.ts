import type { Problem } from '../base/errors.js';
import type { Path, Place } from './findings.js';
import { JsonSyntaxError, walkJson } from './json-text.js';
import { Lines } from './lines.js';
import type { Source } from './source.js';

/** Parses JSON. Places are looked up only when asked for: large files are parsed at full speed. */
export function parseJson(text: string, file?: string): Source | Problem[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return [syntaxProblem(text, error, file)];
  }
  return { value, map: { file, locate: (paths) => locate(text, paths) } };
}

/** Keys that stand twice in one object: JSON.parse takes the last one silently. */
export function findDuplicateKeys(text: string, file?: string): Problem[] {
  const problems: Problem[] = [];
  const lines = new Lines(text);
  const open: Set<string>[] = [new Set()];
  walkJson(text, {
    begin(key, offset) {
      if (typeof key === 'string') {
        const keys = open[open.length - 1];
        if (keys.has(key)) {
          const message = `the key ${JSON.stringify(key)} stands twice in one object`;
          problems.push({ code: 'SYNTAX', message, severity: 'error', file, ...lines.at(offset) });
        }
        keys.add(key);
      }
      open.push(new Set());
    },
    end: () => open.pop(),
  });
  return problems;
}

/** JSON.parse says where it failed only in some versions of Node, so the place is found again. */
function syntaxProblem(text: string, cause: unknown, file: string | undefined): Problem {
  const problem: Problem = { code: 'SYNTAX', message: String(cause), severity: 'error', file };
  try {
    walkJson(text, { begin: () => undefined, end: () => undefined });
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    Object.assign(problem, new Lines(text).at(error.offset), { message: `not valid JSON: ${error.message}` });
  }
  return problem;
}

interface Wanted {
  offset: number;
  readonly children: Map<string | number, Wanted>;
}

/** Finds all paths in one walk; a path that leads nowhere gets the place of its longest part that exists. */
function locate(text: string, paths: readonly Path[]): Place[] {
  const root: Wanted = { offset: text.length - text.trimStart().length, children: new Map() };
  for (const path of paths) {
    let at = root;
    for (const key of path) {
      const child = at.children.get(key) ?? { offset: -1, children: new Map() };
      at.children.set(key, child);
      at = child;
    }
  }
  const open: (Wanted | undefined)[] = [root];
  if (root.children.size > 0)
    walkJson(text, {
      begin(key, offset) {
        const child = open[open.length - 1]?.children.get(key);
        if (child !== undefined) child.offset = offset;
        open.push(child);
      },
      end: () => open.pop(),
    });
  const lines = new Lines(text);
  return paths.map((path) => lines.at(deepest(root, path)));
}

function deepest(root: Wanted, path: Path): number {
  let at = root;
  for (const key of path) {
    const child = at.children.get(key);
    if (child === undefined || child.offset < 0) break;
    at = child;
  }
  return at.offset;
}
