import type { Command } from 'commander';
import { Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { count, formatBytes, formatTable, oneLine } from '../format/text.js';
import {
  backupStore,
  COLLISIONS,
  compactStore,
  diffExecutions,
  diffStores,
  exportSnapshot,
  exportToFile,
  importSnapshot,
  MaestroError,
  restoreStore,
  storeStatistics,
  verifySnapshot,
  verifyStore,
  type Collision,
  type ExecutionDifference,
} from '../../runtime/index.js';
import { requireStore, withStoredRuntime, type CommandContext } from '../session.js';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

export function addSnapshotCommand({ program, bind }: Registry): void {
  const snapshot = program
    .command('snapshot')
    .description('export, import, verify, back up and restore stored executions');
  addPortable(snapshot, bind);
  addWhole(snapshot, bind);
}

type Bind = Registry['bind'];

function addPortable(snapshot: Command, bind: Bind): void {
  snapshot
    .command('export')
    .description('write executions to a file that any store can import')
    .argument('[id]', 'execution id, a unique beginning of one, or `last`')
    .option('--all', 'every execution')
    .option('-o, --output <file>', 'where to; `.gz` at the end compresses. Default: stdout')
    .option('--gzip', 'compress')
    .option('--no-children', 'without what subworkflow nodes of the execution have started')
    .addHelpText(
      'after',
      examples(
        'maestro snapshot export last -o run.ndjson',
        'maestro snapshot export --all -o all.ndjson.gz',
      ),
    )
    .action(bind(exportCommand));
  snapshot
    .command('import')
    .description('read executions from an export; all of it is checked before anything is written')
    .argument('<file>', 'an export, gzipped or not')
    .addOption(
      new Option('--on-collision <what>', 'about ids that are stored already')
        .choices(COLLISIONS)
        .default('refuse'),
    )
    .option('--base-dir <dir>', 'folder that relative step modules are found in from now on')
    .addHelpText(
      'after',
      examples(
        'maestro snapshot import run.ndjson',
        'maestro snapshot import all.ndjson.gz --on-collision skip',
      ),
    )
    .action(bind(importCommand));
  snapshot
    .command('verify')
    .description('read every record of the store, or of an export, and report damage')
    .argument('[file]', 'an export; default: the store')
    .addHelpText('after', examples('maestro snapshot verify', 'maestro snapshot verify all.ndjson.gz'))
    .action(bind(verifyCommand));
}

function addWhole(snapshot: Command, bind: Bind): void {
  snapshot
    .command('backup')
    .description('copy the whole store into a new folder, also while it is in use')
    .argument('<dir>', 'folder that does not exist yet')
    .addHelpText('after', examples('maestro snapshot backup backups/2026-01-31'))
    .action(bind(backupCommand));
  snapshot
    .command('restore')
    .description('make a backup the store')
    .argument('<dir>', 'a backup')
    .option('--force', 'also when there is a store; its data is kept aside')
    .addHelpText('after', examples('maestro snapshot restore backups/2026-01-31 --store lmdb:restored'))
    .action(bind(restoreCommand));
  snapshot
    .command('compact')
    .description('rewrite the store without its free space')
    .action(bind(compactCommand));
  snapshot
    .command('stat')
    .description('what the store holds and how much room it takes')
    .action(bind(statCommand));
  snapshot
    .command('diff')
    .description('compare two stores, backups or exports; or two executions of the store')
    .argument('<a>', 'a store, a backup or an export; or an execution id')
    .argument('<b>', 'the same')
    .addHelpText(
      'after',
      examples('maestro snapshot diff backup-1 .maestro', 'maestro snapshot diff one two'),
    )
    .action(bind(diffCommand));
}

async function exportCommand(
  context: CommandContext,
  ref: string | undefined,
  options: { all?: boolean; output?: string; gzip?: boolean; children: boolean },
): Promise<number> {
  const { ui, terminal, store } = context;
  if ((ref === undefined) !== (options.all === true)) {
    throw new MaestroError('USAGE', 'give either an execution id or --all');
  }
  if (options.gzip === true && options.output === undefined)
    throw new MaestroError('USAGE', '--gzip needs a file: give --output');
  requireStore(store);
  const { children } = options;
  const executionIds =
    ref === undefined
      ? undefined
      : [await withStoredRuntime(context, (runtime) => resolveExecutionId(runtime, ref))];
  if (options.output === undefined) {
    for await (const line of exportSnapshot(store.url, { executionIds, children })) {
      if (ui.closed) break;
      ui.print(line.slice(0, -1));
      await ui.drained();
    }
    return EXIT.success;
  }
  let executions = 0;
  const onExecution = (): void => void executions++;
  const path = resolve(terminal.cwd, options.output);
  await exportToFile(store.url, path, { executionIds, children, gzip: options.gzip, onExecution });
  if (ui.json) ui.document({ file: path, executions });
  else ui.print(`exported ${count(executions, 'execution')} to ${options.output}`);
  return EXIT.success;
}

async function importCommand(
  { ui, terminal, store }: CommandContext,
  file: string,
  options: { onCollision: Collision; baseDir?: string },
): Promise<number> {
  const { imported, skipped, renamed } = await importSnapshot(store.url, resolve(terminal.cwd, file), {
    onCollision: options.onCollision,
    baseDir: options.baseDir === undefined ? undefined : resolve(terminal.cwd, options.baseDir),
  });
  if (ui.json) ui.document({ imported, skipped, renamed });
  else {
    ui.print(
      `imported ${count(imported.length, 'execution')}${skipped.length > 0 ? `, skipped ${skipped.length}` : ''}`,
    );
    for (const [from, to] of Object.entries(renamed)) ui.print(`  ${from} is now ${to}`);
  }
  return EXIT.success;
}

async function verifyCommand(context: CommandContext, file: string | undefined): Promise<number> {
  const { ui, terminal, store } = context;
  if (file !== undefined) {
    const executions = await verifySnapshot(resolve(terminal.cwd, file));
    if (ui.json) ui.document({ sound: true, executions, damage: [] });
    else ui.print(`sound: ${count(executions, 'execution')}`);
    return EXIT.success;
  }
  requireStore(store);
  let read = 0;
  const { executions, damage } = await verifyStore(store.url, () => {
    if (++read % 1000 === 0) ui.progress(`${read} executions read`);
  });
  const sound = damage.length === 0;
  if (ui.json) ui.document({ sound, executions, damage });
  else {
    ui.print(
      sound
        ? `sound: ${count(executions, 'execution')}`
        : ui.color.red(`damaged: ${count(damage.length, 'problem')}`),
    );
    for (const { execution_id, problem } of damage)
      ui.print(`  ${execution_id ?? 'the store'}: ${oneLine(problem)}`);
  }
  return sound ? EXIT.success : EXIT.failed;
}

async function backupCommand({ ui, terminal, store }: CommandContext, folder: string): Promise<number> {
  const report = await backupStore(store.url, resolve(terminal.cwd, folder));
  if (ui.json) ui.document(report);
  else ui.print(`backed up ${count(report.executions, 'execution')} to ${folder}`);
  return EXIT.success;
}

async function restoreCommand(
  { ui, terminal, store }: CommandContext,
  folder: string,
  options: { force?: boolean },
): Promise<number> {
  const report = await restoreStore(resolve(terminal.cwd, folder), store.url, options.force);
  if (ui.json) ui.document(report);
  else {
    ui.print(`restored ${count(report.executions, 'execution')} to ${report.folder}`);
    if (report.previous !== undefined) ui.notice(`the data that was there is kept as ${report.previous}`);
  }
  return EXIT.success;
}

async function compactCommand({ ui, store }: CommandContext): Promise<number> {
  const { folder, beforeBytes, afterBytes, removedDefinitions } = await compactStore(store.url);
  if (ui.json) {
    const sizes = { before_bytes: beforeBytes, after_bytes: afterBytes };
    ui.document({ folder, ...sizes, removed_definitions: removedDefinitions });
  } else {
    ui.print(`${formatBytes(beforeBytes)} → ${formatBytes(afterBytes)}`);
    if (removedDefinitions > 0)
      ui.notice(`${count(removedDefinitions, 'definition')} that no execution has left out`);
  }
  return EXIT.success;
}

const SAME = 'no difference';

async function diffCommand(context: CommandContext, a: string, b: string): Promise<number> {
  const { ui, terminal, store } = context;
  const places = [a, b].map((each) => resolve(terminal.cwd, each.replace(/^lmdb:/, '')));
  if (places.every((each) => existsSync(each))) {
    const { added, removed, changed } = await diffStores(places[0], places[1]);
    if (ui.json) ui.document({ added, removed, changed });
    else {
      for (const id of added) ui.print(`+ ${id}`);
      for (const id of removed) ui.print(`- ${id}`);
      for (const [id, difference] of Object.entries(changed)) ui.print(`~ ${id}\n${described(difference)}`);
      if (added.length + removed.length + Object.keys(changed).length === 0) ui.print(SAME);
    }
    return EXIT.success;
  }
  const [first, second] = await withStoredRuntime(context, async (runtime) => [
    await resolveExecutionId(runtime, a),
    await resolveExecutionId(runtime, b),
  ]);
  const difference = await diffExecutions(store.url, first, second);
  if (ui.json) ui.document({ fields: {}, nodes: {}, ...difference });
  else ui.print(difference === null ? SAME : described(difference));
  return EXIT.success;
}

function described({ fields, nodes }: ExecutionDifference): string {
  return [...Object.entries(fields), ...Object.entries(nodes)]
    .map(([name, both]) => `  ${name}: ${both.map((each) => oneLine(JSON.stringify(each))).join(' → ')}`)
    .join('\n');
}

async function statCommand({ ui, store }: CommandContext): Promise<number> {
  requireStore(store);
  const { executions, rows, fileBytes, usedBytes, reclaimableBytes } = await storeStatistics(store.url);
  if (ui.json) {
    ui.document({
      executions,
      rows,
      file_bytes: fileBytes,
      used_bytes: usedBytes,
      reclaimable_bytes: reclaimableBytes,
    });
    return EXIT.success;
  }
  const statuses = Object.entries(executions).map(([status, n]) => `${n} ${status}`);
  ui.print(`executions  ${statuses.join(', ')}`);
  if (fileBytes !== null && usedBytes !== null && reclaimableBytes !== null) {
    ui.print(
      `file        ${formatBytes(fileBytes)}: ${formatBytes(usedBytes)} data, ${formatBytes(reclaimableBytes)} free`,
    );
  }
  const table = Object.entries(rows).map(([kind, each]) => [
    `  ${kind}`,
    String(each.rows),
    formatBytes(each.bytes),
  ]);
  ui.print(formatTable([['  rows', 'number', 'bytes'].map(ui.color.dim), ...table]).join('\n'));
  return EXIT.success;
}
