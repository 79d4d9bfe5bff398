import type { DependencyRows } from '../graph/index.js';
import { knownPlan, rememberDependencies } from '../spec/plans.js';
import type { NodeSpec, WorkflowSpec } from '../spec/types.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { BASE_VERSION, corrupt, FORMAT_VERSION, seal, sealJson, unseal, unsealJson } from './envelope.js';

/** A definition of so many nodes is stored by columns. Smaller ones are JSON, which every release reads. */
const BY_COLUMNS_FROM = 1000;

/**
 * What is the same in many nodes is written once. The payload is the JSON of the spec with templates in place of its nodes: nodes
 * with 0 for what is their own, so that the order of the fields is kept. Then the ids, a line each, and the names likewise after
 * a 1, or a 0 when all nodes are named as their ids. Then numbers: for each node its template, if there are several, and how many
 * dependencies it has; and for each dependency how many nodes it is before the node.
 */
type Head = Omit<WorkflowSpec, 'nodes'> & { readonly nodes: readonly Fields[] };
type Fields = Record<string, unknown>;

const LINE = '\n';
/** What UTF-8 cannot hold. */
const LONE_SURROGATE = /\p{Surrogate}/u;
/** What a node has for itself. */
const OWN: ReadonlySet<string> = new Set(['id', 'name', 'dependencies'] satisfies (keyof NodeSpec)[]);

/** @param byColumnsFrom so many nodes are stored by columns */
export function encodeDefinition(
  key: string,
  spec: WorkflowSpec,
  byColumnsFrom = BY_COLUMNS_FROM,
): Uint8Array {
  const columns = spec.nodes.length < byColumnsFrom ? null : encodeColumns(key, spec);
  return columns ?? sealJson(key, spec);
}

/** @throws MaestroError RECORD_CORRUPT, STORE_VERSION */
export function decodeDefinition(key: string, bytes: Uint8Array): WorkflowSpec {
  if (bytes[0] === BASE_VERSION) return unsealJson(key, bytes) as WorkflowSpec;
  const payload = unseal(key, bytes);
  try {
    return decodeColumns(new ByteReader(payload));
  } catch (error) {
    throw corrupt(key, (error as Error).message, error);
  }
}

/** @returns null for nodes that were never validated, and for those whose ids or names are no lines of text */
function encodeColumns(key: string, spec: WorkflowSpec): Uint8Array | null {
  const { nodes } = spec;
  const ids = nodes.map(({ id }) => id);
  const names = nodes.map(({ name }) => name);
  const indexOf = knownPlan(spec)?.indexOf ?? new Map(ids.map((id, index) => [id, index]));
  const templates = new Templates();
  const templateOf: number[] = [];
  for (const node of nodes) {
    if (node.dependencies === undefined || !isLine(node.id) || !isLine(node.name)) return null;
    templateOf.push(templates.of(node as unknown as Fields));
  }
  const writer = new ByteWriter();
  writer.string(JSON.stringify({ ...spec, nodes: templates.all }));
  writer.string(ids.join(LINE));
  const areNamed = names.some((name, index) => name !== ids[index]);
  writer.byte(Number(areNamed));
  if (areNamed) writer.string(names.join(LINE));
  if (templates.all.length > 1) for (const template of templateOf) writer.varint(template);
  for (const { dependencies = [] } of nodes) writer.varint(dependencies.length);
  for (const [index, { dependencies = [] }] of nodes.entries())
    for (const dependency of dependencies) {
      const before = indexOf.get(dependency);
      if (before === undefined) return null;
      writer.number(index - before);
    }
  return seal(key, writer.view(), FORMAT_VERSION);
}

function isLine(text: unknown): boolean {
  return typeof text === 'string' && !text.includes(LINE) && !LONE_SURROGATE.test(text);
}

/** The distinct templates of nodes, found by their JSON unless one is like that of the node before. */
class Templates {
  readonly all: Fields[] = [];
  private readonly byText = new Map<string, number>();
  private last = -1;
  private lastKeys: readonly string[] = [];

  of(node: Fields): number {
    const keys = Object.keys(node);
    if (this.last < 0 || !this.isLikeLast(node, keys)) {
      const template = { ...node, id: 0, name: 0, dependencies: 0 };
      const text = JSON.stringify(template);
      this.last = this.byText.get(text) ?? this.all.push(template) - 1;
      this.byText.set(text, this.last);
      this.lastKeys = Object.keys(this.all[this.last]);
    }
    return this.last;
  }

  private isLikeLast(node: Fields, keys: readonly string[]): boolean {
    const template = this.all[this.last];
    if (keys.length !== this.lastKeys.length) return false;
    for (let k = 0; k < keys.length; k++) {
      if (keys[k] !== this.lastKeys[k]) return false;
      if (template[keys[k]] !== node[keys[k]] && !OWN.has(keys[k])) return false;
    }
    return true;
  }
}

function decodeColumns(r: ByteReader): WorkflowSpec {
  const head = JSON.parse(r.string()) as Head;
  const { nodes: templates } = head;
  // Splitting takes a fraction of the time of parsing a list.
  const ids = r.string().split(LINE);
  const names = r.byte() === 0 ? ids : r.string().split(LINE);
  const fit: boolean = Array.isArray(templates) && names.length === ids.length;
  if (!fit) throw new RangeError('it has no columns');
  const count = ids.length;
  const templateOf = templates.length > 1 ? read(r, count) : null;
  const rows = readRows(r, count);
  if (r.remaining > 0) throw new RangeError(`it has ${r.remaining} bytes too many`);
  const nodes = new Array<NodeSpec>(count);
  for (let index = 0; index < count; index++) {
    const template = templates[templateOf?.[index] ?? 0];
    if (template === undefined) throw new RangeError('it has a node without a template');
    const own = { id: ids[index], name: names[index], dependencies: idsOf(ids, rows, index) };
    nodes[index] = { ...template, ...own } as unknown as NodeSpec;
  }
  const spec: WorkflowSpec = { ...head, nodes };
  const isPlain = templates.every(
    ({ members, map, compensates }) => (members ?? map ?? compensates) === undefined,
  );
  if (isPlain) rememberDependencies(spec, rows);
  return spec;
}

/** An array of just that length: one that grows has room for 17 from the beginning. */
function idsOf(ids: readonly string[], { offsets, targets }: DependencyRows, node: number): string[] {
  const from = offsets[node];
  const dependencies = new Array<string>(offsets[node + 1] - from);
  for (let k = 0; k < dependencies.length; k++) dependencies[k] = ids[targets[from + k]];
  return dependencies;
}

function read(r: ByteReader, count: number): Uint32Array {
  if (count > r.remaining) throw new RangeError('it ends too early');
  const numbers = new Uint32Array(count);
  for (let index = 0; index < count; index++) numbers[index] = r.varint();
  return numbers;
}

function readRows(r: ByteReader, count: number): DependencyRows {
  const offsets = new Uint32Array(count + 1);
  const counts = read(r, count);
  for (let index = 0; index < count; index++) offsets[index + 1] = offsets[index] + counts[index];
  if (offsets[count] > r.remaining) throw new RangeError('it ends too early');
  const targets = new Uint32Array(offsets[count]);
  for (let index = 0; index < count; index++)
    for (let k = offsets[index]; k < offsets[index + 1]; k++) {
      const target = index - r.number();
      if (!(target >= 0 && target < count && Number.isInteger(target)))
        throw new RangeError('it has a dependency on no node');
      targets[k] = target;
    }
  return { offsets, targets };
}
