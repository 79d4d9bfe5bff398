import process from 'node:process';
import { examples, type Registry } from '../command-registry.js';
import { flagReport, storedWarning, type FlagReport } from '../environment/flag-report.js';
import { CORE_MODULES, loadModules, OPTIONAL_MODULES, type ModuleState } from '../environment/modules.js';
import { storePart, workerParts, type PartState } from '../environment/parts.js';
import { EXIT } from '../error-report.js';
import { formatTable, oneLine } from '../format/text.js';
import type { CommandContext } from '../session.js';
import type { Ui } from '../ui.js';
import { packageVersion } from '../version.js';

export function addFlagsCommand({ program, bind }: Registry): void {
  program
    .command('flags')
    .description('show the feature flags, what they result in, and whether every part is usable')
    .addHelpText(
      'after',
      `\nExit codes: 0 all is well, 1 the flags contradict themselves, 2 a module or part is not usable.\n${examples(
        'maestro flags',
        'MAESTRO_ENABLE_DAG_EXECUTION=true maestro flags --json',
      )}`,
    )
    .action(bind(flags));
}

interface FlagsDocument extends FlagReport {
  valid: boolean;
  versions: Record<string, string | null>;
  modules: readonly ModuleState[];
  parts: readonly PartState[];
}

async function flags({ terminal, ui, store }: CommandContext): Promise<number> {
  const report = flagReport(terminal.env);
  const [core, optional] = [await loadModules(CORE_MODULES), await loadModules(OPTIONAL_MODULES)];
  const { stored, ...storeState } = await storePart(store);
  const parts = [storeState, ...(await workerParts())];
  const modules = [...core, ...optional];
  const crowded = stored === null ? undefined : storedWarning(stored);
  const document: FlagsDocument = {
    ...report,
    valid: report.conflicts.length === 0,
    warnings: crowded === undefined ? report.warnings : [...report.warnings, crowded],
    versions: versionsOf(modules),
    modules,
    parts,
  };
  if (ui.json) ui.document(document);
  else print(ui, document);
  if ([...modules, ...parts].some(({ usable }) => !usable)) return EXIT.usage;
  return document.valid ? EXIT.success : EXIT.failed;
}

function versionsOf(modules: readonly ModuleState[]): Record<string, string | null> {
  const versions: Record<string, string | null> = { maestro: packageVersion(), node: process.versions.node };
  for (const { name, version } of modules) versions[name] = version;
  return versions;
}

function print(ui: Ui, document: FlagsDocument): void {
  const { color } = ui;
  ui.print(`execution mode  ${color.bold(document.execution_mode)}\n`);
  const rows = document.flags.map(({ variable, value, source, meaning }) => [
    `  ${variable}`,
    value ? color.green('true') : color.dim('false'),
    color.dim(source),
    meaning,
  ]);
  ui.print(formatTable(rows).join('\n'));
  const states = [
    ...document.modules.map(({ name, version, usable, problem }) => ({
      name,
      usable,
      detail: problem ?? version ?? '',
    })),
    ...document.parts,
  ];
  ui.print(`\nmaestro ${document.versions.maestro}, Node ${document.versions.node}`);
  ui.print(
    formatTable(
      states.map(({ name, usable, detail }) => [
        `  ${name}`,
        usable ? color.green('ok') : color.red('UNUSABLE'),
        oneLine(detail),
      ]),
    ).join('\n'),
  );
  section(ui, color.red('conflicts'), document.conflicts);
  section(ui, color.yellow('warnings'), document.warnings);
  section(ui, 'recommendations', document.recommendations);
}

function section(ui: Ui, title: string, lines: readonly string[]): void {
  if (lines.length > 0) ui.print(`\n${title}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}
