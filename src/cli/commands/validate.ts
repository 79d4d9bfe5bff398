import { readFileSync, statSync } from 'node:fs';
import { examples, type Registry } from '../command-registry.js';
import { EXIT, exitCodeOf } from '../error-report.js';
import { codeFrame, formatProblem } from '../format/problems.js';
import { count } from '../format/text.js';
import { isMaestroError, loadWorkflowFile, type Problem, planOf } from '../../runtime/index.js';
import type { CommandContext } from '../session.js';

interface FileReport {
  file: string;
  valid: boolean;
  workflow_id: string | null;
  nodes: number | null;
  edges: number | null;
  problems: readonly Problem[];
}

export function addValidateCommand({ program, bind }: Registry): void {
  program
    .command('validate')
    .description('check workflow files and name every problem with its place')
    .argument('<spec...>', 'workflow files (.yaml, .yml, .json, .json.gz)')
    .addHelpText('after', examples('maestro validate workflow.yaml', 'maestro validate flows/*.yaml --json'))
    .action(bind(validate));
}

async function validate({ ui }: CommandContext, specs: string[]): Promise<number> {
  const reports: FileReport[] = [];
  for (const spec of specs) {
    const report = await check(spec);
    reports.push(report);
    if (ui.json) continue;
    const source = report.problems.length > 0 ? readSource(spec) : '';
    for (const problem of report.problems) {
      ui.print(formatProblem(problem, ui.color));
      for (const line of codeFrame(source, problem, ui.color)) ui.print(`  ${line}`);
    }
    ui.print(verdict(report, ui.color));
  }
  const valid = reports.every((report) => report.valid);
  if (ui.json) ui.document({ valid, files: reports });
  return valid ? EXIT.success : EXIT.failed;
}

async function check(spec: string): Promise<FileReport> {
  try {
    const { workflow, warnings } = await loadWorkflowFile(spec);
    const plan = planOf(workflow.spec);
    return {
      file: spec,
      valid: true,
      workflow_id: workflow.spec.workflow.id,
      nodes: plan.nodeCount,
      edges: plan.edgeCount,
      problems: warnings,
    };
  } catch (error) {
    if (!isMaestroError(error) || exitCodeOf(error) !== EXIT.failed) throw error;
    const whole: Problem = { code: error.code, message: error.message, severity: 'error', file: spec };
    const problems = error.problems.length > 0 ? error.problems : [whole];
    return { file: spec, valid: false, workflow_id: null, nodes: null, edges: null, problems };
  }
}

function verdict(report: FileReport, color: CommandContext['ui']['color']): string {
  const warnings = report.problems.filter((problem) => problem.severity === 'warning').length;
  const errors = report.problems.length - warnings;
  const found = [errors > 0 ? count(errors, 'error') : '', warnings > 0 ? count(warnings, 'warning') : '']
    .filter((part) => part !== '')
    .join(', ');
  if (!report.valid) return `${color.red('✗')} ${report.file}: ${found}`;
  const size = `${count(report.nodes ?? 0, 'node')}, ${count(report.edges ?? 0, 'edge')}`;
  return `${color.green('✓')} ${report.file}: ${report.workflow_id}, ${size}${found === '' ? '' : `, ${found}`}`;
}

const MAX_FRAME_SOURCE_BYTES = 4 * 1024 * 1024;

/** The text of a file for code frames; empty when it is compressed, very large or gone. */
function readSource(path: string): string {
  try {
    if (path.endsWith('.gz') || statSync(path).size > MAX_FRAME_SOURCE_BYTES) return '';
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
