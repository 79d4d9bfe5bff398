import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKS } from '../check/checks.js';
import { runCheck, type CheckResult } from '../check/runner.js';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { formatSeconds, oneLine } from '../format/text.js';
import type { CommandContext } from '../session.js';

interface CheckOptions {
  quick?: boolean;
}

export function addCheckCommand({ program, bind }: Registry): void {
  program
    .command('check')
    .description(
      'check that everything works here: modules, execution, persistence, resume after a kill, tools',
    )
    .option('--quick', 'only what takes no time')
    .addHelpText(
      'after',
      `\nIt works in folders of its own and leaves none behind; no store of yours is touched.
Exit codes: 0 all passed, 1 some failed, 2 not ready: modules are unusable.\n${examples('maestro check', 'maestro check --quick --json')}`,
    )
    .action(bind(check));
}

async function check({ ui }: CommandContext, { quick = false }: CheckOptions): Promise<number> {
  const results: CheckResult[] = [];
  const folders: string[] = [];
  const folder = (): string => {
    folders.push(mkdtempSync(join(tmpdir(), 'maestro-check-')));
    return folders.at(-1)!;
  };
  try {
    for (const each of CHECKS) {
      const result =
        quick && each.slow === true
          ? ({ name: each.name, status: 'skipped', seconds: 0, detail: 'not part of --quick' } as const)
          : await runCheck(each, folder);
      results.push(result);
      if (!ui.json) ui.print(line(result));
    }
  } finally {
    for (const path of folders) rmSync(path, { recursive: true, force: true });
  }
  const number = (status: CheckResult['status']): number =>
    results.filter((each) => each.status === status).length;
  const [passed, failed, skipped] = [number('passed'), number('failed'), number('skipped')];
  const isVital = CHECKS.some(({ vital }, i) => vital === true && results[i].status === 'failed');
  const status = isVital ? 'not ready' : failed > 0 ? 'failed' : 'passed';
  if (ui.json) ui.document({ status, passed, failed, skipped, checks: results });
  else ui.print(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return isVital ? EXIT.usage : failed > 0 ? EXIT.failed : EXIT.success;

  function line({ name, status, seconds, detail }: CheckResult): string {
    const marks = {
      passed: ui.color.green('ok     '),
      failed: ui.color.red('FAILED '),
      skipped: ui.color.dim('skipped'),
    };
    const text = `${marks[status]}  ${name.padEnd(24)}${status === 'skipped' ? '' : formatSeconds(seconds)}`;
    const shown = status === 'failed' || ui.verbose;
    return shown ? `${text}\n         ${oneLine(detail)}` : text.trimEnd();
  }
}
