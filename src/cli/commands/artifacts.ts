import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { resolveExecutionId } from '../execution-ref.js';
import { count, formatTable, oneLine } from '../format/text.js';
import { MaestroError, readArtifact, type ArtifactDocument } from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

interface ArtifactsOptions {
  node?: string;
  verify?: boolean;
  copy?: string;
}

export function addArtifactsCommand({ program, bind }: Registry): void {
  program
    .command('artifacts')
    .description('list, verify or copy the files that the nodes of an execution returned as artifacts')
    .argument('<id>', 'execution id, a unique beginning of one, or `last`')
    .option('--node <id>', 'only of this node')
    .option('--verify', 'read every file again: exit code 1 when one is not what it was')
    .option('--copy <folder>', 'copy them to FOLDER/<node>/<path>, verified; what is there is not replaced')
    .addHelpText(
      'after',
      examples(
        'maestro artifacts last',
        'maestro artifacts last --verify',
        'maestro artifacts last --node report --copy ./out',
      ),
    )
    .action(bind(artifacts));
}

async function artifacts(context: CommandContext, ref: string, options: ArtifactsOptions): Promise<number> {
  const { ui } = context;
  const { node: nodeId, verify, copy } = options;
  const { id, found } = await withStoredRuntime(context, async (runtime) => {
    const executionId = await resolveExecutionId(runtime, ref);
    return { id: executionId, found: await runtime.artifacts(executionId, { nodeId, verify }) };
  });
  const copied: string[] = [];
  if (copy !== undefined)
    for (const artifact of found)
      if (artifact.state === 'stored') copied.push(await copyOut(artifact, resolve(copy)));
  if (ui.json) ui.document({ execution_id: id, artifacts: found, ...(copy !== undefined && { copied }) });
  else {
    for (const line of tableOf(found, ui.color)) ui.print(line);
    if (copy !== undefined) ui.print(`copied ${count(copied.length, 'file')} to ${copy}`);
  }
  return found.every(({ verified = 'ok' }) => verified === 'ok') ? EXIT.success : EXIT.failed;
}

function tableOf(found: readonly ArtifactDocument[], color: CommandContext['ui']['color']): string[] {
  if (found.length === 0) return ['no artifacts'];
  const header = ['NODE', 'PATH', 'SIZE', 'TYPE', 'SHA-256', 'STATE'].map(color.dim);
  const rows = found.map(({ node_id, path, size_bytes, type, checksum, state, verified }) => [
    oneLine(node_id),
    oneLine(path),
    state === 'stored' ? String(size_bytes) : '–',
    type,
    state === 'stored' ? checksum.slice(0, 16) : '–',
    verified === undefined || verified === 'ok' ? (verified ?? state) : color.red(verified),
  ]);
  return formatTable([header, ...rows]);
}

/** Under its last name there is all of it, verified, or nothing. @throws ARTIFACT_CHANGED and the like, FILE_EXISTS */
async function copyOut(artifact: ArtifactDocument, folder: string): Promise<string> {
  // The node's folder has a name that is safe anywhere, and the path has no way out of it.
  const target = join(folder, dirnameOf(artifact), ...artifact.path.split('/'));
  const temporary = `${target}.${process.pid}.tmp`;
  await mkdir(dirname(target), { recursive: true });
  const handle = await open(temporary, 'wx');
  try {
    await readArtifact(artifact, (piece) => handle.writeFile(piece));
    await handle.close();
    await link(temporary, target);
    return target;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new MaestroError('FILE_EXISTS', `${target} is there already`, { cause });
  } finally {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
  }
}

function dirnameOf({ folder }: ArtifactDocument): string {
  return folder.slice(dirname(folder).length + 1);
}
