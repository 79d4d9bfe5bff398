import type { Problem } from '../base/errors.js';

/** Where in a document: object keys and array positions from the root. */
export type Path = readonly (string | number)[];

/** Knows where in a text each part of the parsed document stands. */
export interface SourceMap {
  readonly file?: string;
  /** Place of a key or an array item, both counted from 1; undefined when the path leads nowhere. */
  locate(path: Path): { line: number; column: number } | undefined;
}

/** Problems kept at most: a broken machine-written file must not fill the memory. */
const MAX_FINDINGS = 1000;

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly path: Path;
  readonly severity: 'error' | 'warning';
  readonly nodeId?: string;
}

/** Collects what is wrong with a document, then says where. */
export class Findings {
  readonly #items: Finding[] = [];
  #dropped = 0;

  get hasErrors(): boolean {
    return this.#items.some((finding) => finding.severity === 'error');
  }

  error(code: string, path: Path, message: string, nodeId?: string): void {
    this.#add({ code, path, message, nodeId, severity: 'error' });
  }

  warning(code: string, path: Path, message: string, nodeId?: string): void {
    this.#add({ code, path, message, nodeId, severity: 'warning' });
  }

  #add(finding: Finding): void {
    if (this.#items.length < MAX_FINDINGS) this.#items.push(finding);
    else this.#dropped++;
  }

  /** All of them, in the order of the file when it is known, otherwise as found. */
  toProblems(source?: SourceMap): Problem[] {
    const problems = this.#items.map((finding) => toProblem(finding, source));
    problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    if (this.#dropped > 0) {
      const message = `${this.#dropped} more problems are not listed`;
      problems.push({ code: 'TOO_MANY', message, severity: 'error', file: source?.file });
    }
    return problems;
  }
}

function toProblem(finding: Finding, source: SourceMap | undefined): Problem {
  const { code, message, severity, nodeId } = finding;
  const problem: Problem = { code, message, severity };
  if (nodeId !== undefined) problem.node_id = nodeId;
  if (source?.file !== undefined) problem.file = source.file;
  const place = locateNearest(source, finding.path);
  if (place !== undefined) Object.assign(problem, place);
  return problem;
}

/** The place of the path itself or, for something that is missing, of what should contain it. */
function locateNearest(
  source: SourceMap | undefined,
  path: Path,
): { line: number; column: number } | undefined {
  for (let length = path.length; source !== undefined && length >= 0; length--) {
    const place = source.locate(path.slice(0, length));
    if (place !== undefined) return place;
  }
  return undefined;
}

/** `nodes[3].retry_policy.max_attempts`, as people write it. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text === '' ? 'the document' : text;
}
