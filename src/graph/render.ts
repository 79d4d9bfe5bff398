import { dependentsOf } from './queries.js';
import type { Plan } from './plan.js';

/** Text for a node in a diagram; its id by default. */
export type Label = (index: number) => string;

/** A Mermaid flowchart. Nodes are named n0, n1, …, so that any text can stand in a label. */
export function toMermaid(plan: Plan, label: Label = (index) => plan.ids[index]): string {
  const lines = ['flowchart TD'];
  for (let i = 0; i < plan.nodeCount; i++) lines.push(`  n${i}["${escapeMermaid(label(i))}"]`);
  for (let i = 0; i < plan.nodeCount; i++) {
    for (const dependent of dependentsOf(plan, i)) lines.push(`  n${i} --> n${dependent}`);
  }
  return lines.join('\n') + '\n';
}

/** A Graphviz digraph. */
export function toDot(plan: Plan, label: Label = (index) => plan.ids[index]): string {
  const lines = ['digraph workflow {', '  rankdir=TB;', '  node [shape=box];'];
  for (let i = 0; i < plan.nodeCount; i++) lines.push(`  n${i} [label="${escapeDot(label(i))}"];`);
  for (let i = 0; i < plan.nodeCount; i++) {
    for (const dependent of dependentsOf(plan, i)) lines.push(`  n${i} -> n${dependent};`);
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
