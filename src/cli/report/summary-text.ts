import type { Colors } from 'picocolors/types.js';
import { ERROR_CODES, type ErrorDocument, type WorkflowStatus } from '../../runtime/index.js';
import { colorStatus } from '../format/status.js';
import { cleanLines, count, formatSeconds, formatTable, listSome, oneLine } from '../format/text.js';
import { formatCounts } from '../progress/frame.js';
import type { RunSummary } from './run-summary.js';

const ARTIFACTS_SHOWN = 20;
const NODES_SHOWN = 10;
const PATH_HEAD = 4;
const PATH_TAIL = 3;

/** The end of a run for people. */
export function formatSummary(summary: RunSummary, color: Colors): string {
  const took = summary.duration_seconds === null ? '' : ` in ${formatSeconds(summary.duration_seconds)}`;
  const nodes = `${summary.completed_nodes}/${count(summary.total_nodes, 'node')}`;
  const lines = [`${colorStatus(color, summary.status)} ${oneLine(summary.workflow_id)}: ${nodes}${took}`];
  const facts = formatTable(factsOf(summary).map(([name, value]) => [`  ${color.dim(name)}`, value]));
  lines.push(...facts, ...artifactLines(summary.artifacts), ...failureLines(summary, color));
  if (summary.continue_with !== null) {
    lines.push('', `${continueText(summary.status)}: ${color.bold(summary.continue_with)}`);
  }
  return lines.join('\n');
}

function factsOf(summary: RunSummary): [string, string][] {
  const facts: [string, string][] = [['nodes', formatCounts(summary.counts)]];
  if (summary.serial_seconds > 0) {
    const speedUp =
      summary.speed_up === null ? '' : ` (speed-up over serial ${formatRatio(summary.speed_up)})`;
    facts.push(['serial time', `${formatSeconds(summary.serial_seconds)}${speedUp}`]);
  }
  const path = summary.critical_path;
  if (path !== null && path.nodes.length > 0) {
    facts.push(['critical path', `${formatSeconds(path.seconds)}: ${formatPath(path.nodes)}`]);
  }
  if (summary.slowest.length > 0) {
    const slowest = summary.slowest.map((node) => `${oneLine(node.node_id)} ${formatSeconds(node.seconds)}`);
    facts.push(['slowest', slowest.join(', ')]);
  }
  if (summary.retries > 0) facts.push(['retries', String(summary.retries)]);
  return facts;
}

/** `a → b → c`, the middle of a long path left out. */
export function formatPath(nodes: readonly string[]): string {
  const clean = nodes.map(oneLine);
  if (clean.length <= PATH_HEAD + PATH_TAIL + 1) return clean.join(' → ');
  const hidden = clean.length - PATH_HEAD - PATH_TAIL;
  return [...clean.slice(0, PATH_HEAD), `(${hidden} more)`, ...clean.slice(-PATH_TAIL)].join(' → ');
}

/** An error document: message, code, what to do next. */
export function formatErrorDocument(error: ErrorDocument, color: Colors, verbose = false): string[] {
  const code = error.code === undefined ? '' : color.dim(` [${oneLine(error.code)}]`);
  const name = error.name === 'MaestroError' || error.name === 'Error' ? '' : `${oneLine(error.name)}: `;
  const [first, ...rest] = cleanLines(error.message).split('\n');
  const lines = [`${name}${first}${code}`, ...rest];
  const next = nextStep(error.code);
  if (next !== undefined) lines.push(`${color.dim('→')} ${next}`);
  if (verbose && error.stack !== undefined) lines.push(...cleanLines(error.stack).split('\n').map(color.dim));
  return lines;
}

function nextStep(code: string | undefined): string | undefined {
  if (code === undefined || !Object.hasOwn(ERROR_CODES, code)) return undefined;
  return ERROR_CODES[code as keyof typeof ERROR_CODES].next;
}

function artifactLines(artifacts: readonly string[]): string[] {
  if (artifacts.length === 0) return [];
  const lines = ['  artifacts', ...artifacts.slice(0, ARTIFACTS_SHOWN).map((path) => `    ${oneLine(path)}`)];
  if (artifacts.length > ARTIFACTS_SHOWN) lines.push(`    … and ${artifacts.length - ARTIFACTS_SHOWN} more`);
  return lines;
}

function failureLines(summary: RunSummary, color: Colors): string[] {
  const lines: string[] = [];
  if (summary.failed_node !== null || summary.error !== null) {
    const where =
      summary.failed_node === null ? 'error' : `node ${color.bold(oneLine(summary.failed_node))} failed`;
    const text = summary.error === null ? [] : formatErrorDocument(summary.error, color);
    lines.push('', `${color.red('✗')} ${where}`, ...text.map((line) => `    ${line}`));
  }
  if (summary.status === 'completed') return lines;
  for (const [name, ids] of [
    ['blocked', summary.blocked_nodes],
    ['not started', summary.pending_nodes],
  ] as const) {
    if (ids.length > 0) lines.push(`  ${color.dim(name)}  ${listSome(ids.map(oneLine), NODES_SHOWN)}`);
  }
  return lines;
}

function continueText(status: WorkflowStatus): string {
  return status === 'failed' || status === 'cancelled' ? 'run what is left again with' : 'continue with';
}

function formatRatio(ratio: number): string {
  return `${ratio >= 9.95 ? Math.round(ratio) : ratio.toFixed(1)}×`;
}
