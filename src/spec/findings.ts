import type { Problem } from '../base/errors.js';

/** Where in a document: object keys and array positions from the root. */
export type Path = readonly (string | number)[];

/** Counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Knows where in a text each part of the parsed document stands. */
export interface SourceMap {
  readonly file?: string;
  /**
   * Places of keys and array items, one for each path. For something that is not there: of what should contain it.
   */
  locate(paths: readonly Path[]): Place[];
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
  /** Where what stands behind the document's nodes is written, by its position there. */
  readonly #elsewhere = new Map<number, Path>();

  get hasErrors(): boolean {
    return this.#items.some((finding) => finding.severity === 'error');
  }

  /** Findings at `nodes[index]` are reported at this path instead. */
  relocate(index: number, path: Path): void {
    this.#elsewhere.set(index, path);
  }

  error(code: string, path: Path, message: string, nodeId?: string): void {
    this.#add({ code, path, message, nodeId, severity: 'error' });
  }

  warning(code: string, path: Path, message: string, nodeId?: string): void {
    this.#add({ code, path, message, nodeId, severity: 'warning' });
  }

  #add(finding: Finding): void {
    const { path } = finding;
    const other = path[0] === 'nodes' ? this.#elsewhere.get(path[1] as number) : undefined;
    const placed = other === undefined ? finding : { ...finding, path: [...other, ...path.slice(2)] };
    if (this.#items.length < MAX_FINDINGS) this.#items.push(placed);
    else this.#dropped++;
  }

  /** All of them, in the order of the file when it is known, otherwise as found. */
  toProblems(source?: SourceMap): Problem[] {
    const places = this.#items.length === 0 ? [] : source?.locate(this.#items.map((finding) => finding.path));
    const problems = this.#items.map((finding, index) => toProblem(finding, source?.file, places?.[index]));
    problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    if (this.#dropped > 0) {
      const message = `${this.#dropped} more problems are not listed`;
      problems.push({ code: 'TOO_MANY', message, severity: 'error', file: source?.file });
    }
    return problems;
  }
}

function toProblem(finding: Finding, file: string | undefined, place: Place | undefined): Problem {
  const { code, message, severity, nodeId } = finding;
  return {
    code,
    message,
    severity,
    ...(file !== undefined && { file }),
    ...place,
    ...(nodeId !== undefined && { node_id: nodeId }),
  };
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
