import { dependentsOf } from './queries.js';
import type { Plan } from './plan.js';

/** Text for a node in a diagram; its id by default. */
export type Label = (index: number) => string;

/** Text for an edge in a diagram; undefined: none. */
export type EdgeLabel = (from: number, to: number) => string | undefined;

/**
 * A Mermaid flowchart. Nodes are named n0, n1, …, so that any text can stand in a label; members of a group share a frame.
 */
export function toMermaid(
  plan: Plan,
  label: Label = (index) => plan.ids[index],
  edgeLabel: EdgeLabel = () => undefined,
): string {
  const node = (i: number): string => `n${i}["${escapeMermaid(label(i))}"]`;
  const lines = ['flowchart TD'];
  for (let i = 0; i < plan.nodeCount; i++) if (!plan.groupOf.has(i)) lines.push(`  ${node(i)}`);
  for (const [group, members] of plan.groups) {
    lines.push(`  subgraph g${group}["${escapeMermaid(plan.ids[group])}"]`);
    for (const member of members) lines.push(`    ${node(member)}`);
    lines.push('  end');
  }
  for (let i = 0; i < plan.nodeCount; i++) {
    for (const dependent of dependentsOf(plan, i)) {
      const text = edgeLabel(i, dependent);
      const named = text === undefined ? '' : `|"${escapeMermaid(text)}"|`;
      lines.push(`  n${i} -->${named} n${dependent}`);
    }
  }
  return lines.join('\n') + '\n';
}

/** A Graphviz digraph, likewise. */
export function toDot(
  plan: Plan,
  label: Label = (index) => plan.ids[index],
  edgeLabel: EdgeLabel = () => undefined,
): string {
  const node = (i: number): string => `n${i} [label="${escapeDot(label(i))}"];`;
  const lines = ['digraph workflow {', '  rankdir=TB;', '  node [shape=box];'];
  for (let i = 0; i < plan.nodeCount; i++) if (!plan.groupOf.has(i)) lines.push(`  ${node(i)}`);
  for (const [group, members] of plan.groups) {
    lines.push(`  subgraph cluster_${group} {`, `    label="${escapeDot(plan.ids[group])}";`);
    for (const member of members) lines.push(`    ${node(member)}`);
    lines.push('  }');
  }
  for (let i = 0; i < plan.nodeCount; i++) {
    for (const dependent of dependentsOf(plan, i)) {
      const text = edgeLabel(i, dependent);
      const named = text === undefined ? '' : ` [label="${escapeDot(text)}"]`;
      lines.push(`  n${i} -> n${dependent}${named};`);
    }
  }
  return [...lines, '}'].join('\n') + '\n';
}

/** Mermaid writes characters that mean something as `#code;`; letters, digits and plain punctuation stay. */
function escapeMermaid(text: string): string {
  return text.replace(/[^\p{L}\p{N} ._:/@+-]/gu, (char) => `#${char.codePointAt(0) ?? 0};`);
}

/** In a quoted DOT label `"` ends it and `\` starts an escape. */
function escapeDot(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replace(/\r?\n/g, '\\n');
}
