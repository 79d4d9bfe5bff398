import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  readArtifact,
  type Runtime,
  type StepContext,
  type Workflow,
} from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { runtimes } from './support/runtimes.js';

const open = runtimes();
const tempDir = tempDirs('maestro-artifacts');
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** One node that writes what it wants and returns these paths. */
function writing(write: (folder: string) => readonly string[]): Workflow {
  return defineWorkflow({ id: 'w' })
    .node('make it/so', {
      execute: (context: StepContext) => ({ artifacts: [...write(context.artifactDir())] }),
    })
    .node('after', { dependsOn: ['make it/so'], execute: () => 1 })
    .build();
}

async function run(runtime: Runtime, workflow: Workflow, executionId = 'e'): Promise<void> {
  const { result } = await runtime.start(workflow, {}, { executionId });
  expect((await result).status).toBe('completed');
}

const LONG_AGO_MS = 48 * 3600 * 1000;

describe('artifacts', () => {
  it('are listed with size, checksum and type, also after a restart; verified, they are what they were', async () => {
    const store = `lmdb:${tempDir()}`;
    const large = Buffer.alloc(5 * 1024 * 1024 + 3, 'maestro');
    const first = await open({ store });
    await run(
      first,
      writing((folder) => {
        mkdirSync(join(folder, 'sub'));
        writeFileSync(join(folder, 'sub', 'a.txt'), 'hello');
        writeFileSync(join(folder, 'large.bin'), large);
        writeFileSync(join(folder, 'empty.json'), '');
        return ['sub/a.txt', join(folder, 'large.bin'), './empty.json', 'sub/a.txt'.replace('a', '../sub/a')];
      }),
    );
    await first.close();
    const runtime = await open({ store });
    const found = await runtime.artifacts('e', { verify: true });
    expect(
      found.map(({ path, size_bytes, checksum, type, verified }) => ({
        path,
        size_bytes,
        checksum,
        type,
        verified,
      })),
    ).toEqual([
      { path: 'sub/a.txt', size_bytes: 5, checksum: sha256('hello'), type: 'text/plain', verified: 'ok' },
      {
        path: 'large.bin',
        size_bytes: large.length,
        checksum: sha256(large),
        type: 'application/octet-stream',
        verified: 'ok',
      },
      { path: 'empty.json', size_bytes: 0, checksum: sha256(''), type: 'application/json', verified: 'ok' },
    ]);
    expect(found[0]).toMatchObject({
      node_id: 'make it/so',
      state: 'stored',
      metadata: { run: 0, attempt: 1 },
    });
    expect(new Set(found.map(({ artifact_id }) => artifact_id)).size).toBe(3);
    await expect(runtime.artifacts('nope')).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    await expect(runtime.artifacts('e', { nodeId: 'x' })).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' });

    writeFileSync(join(found[0].folder, 'sub', 'a.txt'), 'hullo');
    const [changed, same] = await runtime.artifacts('e', { verify: true });
    expect([changed.verified, same.verified]).toEqual(['changed', 'ok']);
    await expect(readArtifact(changed)).rejects.toMatchObject({ code: 'ARTIFACT_CHANGED' });
  });

  it.each([
    ['secret', 'ARTIFACT_OUTSIDE'],
    ['../../../../etc/passwd', 'ARTIFACT_OUTSIDE'],
    ['..', 'ARTIFACT_OUTSIDE'],
    ['link.txt', 'ARTIFACT_OUTSIDE'],
    ['linked/secret.txt', 'ARTIFACT_OUTSIDE'],
    ['', 'ARTIFACT_OUTSIDE'],
    ['folder', 'ARTIFACT_MISSING'],
    ['pipe', 'ARTIFACT_MISSING'],
    ['none', 'ARTIFACT_MISSING'],
    ['\0', 'ARTIFACT_MISSING'],
  ])('fail their node when one is %j, which is never read', async (given, code) => {
    const secret = join(tempDir(), 'secret.txt');
    writeFileSync(secret, 'secret');
    const artifactRoot = tempDir();
    const runtime = await open({ artifactRoot });
    const path = given === 'secret' ? secret : given;
    const { result } = await runtime.start(
      writing((folder) => {
        writeFileSync(join(folder, 'good.txt'), 'good');
        symlinkSync(secret, join(folder, 'link.txt'));
        symlinkSync(join(secret, '..'), join(folder, 'linked'));
        mkdirSync(join(folder, 'folder'));
        execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'pipe')]);
        return ['good.txt', path];
      }),
      {},
      { executionId: 'e' },
    );
    const { status, failed_node, error } = await result;
    expect({ status, failed_node }).toEqual({ status: 'failed', failed_node: 'make it/so' });
    const folder = join(artifactRoot, 'w', 'e', 'make%20it%2Fso');
    expect(error).toMatchObject({ code, details: { path, paths: [path], folder } });
    expect(error!.message).toContain(JSON.stringify(path));
    expect(error!.message).not.toContain('more like it');
    const { node_states } = (await runtime.get('e'))!;
    expect(node_states['make it/so']).toMatchObject({ status: 'failed', artifacts: [] });
    expect(await runtime.artifacts('e', { verify: true })).toEqual([]);
  });

  it('that are none are told together; what is outside is told first, and a retry may do better', async () => {
    const runtime = await open({ artifactRoot: tempDir() });
    let attempts = 0;
    const workflow = defineWorkflow({ id: 'w' })
      .node('n', {
        retry: { maxAttempts: 2, delaySeconds: 0 },
        execute: ({ artifactDir }) => {
          if (++attempts === 2) writeFileSync(join(artifactDir(), 'a.txt'), 'a');
          return { artifacts: attempts === 1 ? ['a.txt', '/x', 'b.txt'] : ['a.txt'] };
        },
      })
      .build();
    const { result } = await runtime.start(workflow, {}, { executionId: 'e', retries: true });
    expect((await result).status).toBe('completed');
    const failures: unknown[] = [];
    for await (const { event_type, data } of runtime.events('e'))
      if (event_type === 'node_failed') failures.push(data);
    expect(failures).toMatchObject([
      {
        error_code: 'ARTIFACT_OUTSIDE',
        error: expect.stringMatching(/"\/x" is not in the folder .* 2 more like it/),
      },
    ]);
    expect(await runtime.artifacts('e')).toMatchObject([{ path: 'a.txt', metadata: { attempt: 2 } }]);
  });

  it('are not read through what has become a link since', async () => {
    const secret = join(tempDir(), 'secret.txt');
    writeFileSync(secret, 'hello');
    const runtime = await open({ artifactRoot: tempDir() });
    await run(
      runtime,
      writing((folder) => (writeFileSync(join(folder, 'a.txt'), 'hello'), ['a.txt'])),
    );
    const [artifact] = await runtime.artifacts('e');
    execFileSync('ln', ['-sf', secret, join(artifact.folder, 'a.txt')]);
    expect((await runtime.artifacts('e', { verify: true }))[0].verified).toBe('outside');
    await expect(readArtifact(artifact)).rejects.toMatchObject({ code: 'ARTIFACT_OUTSIDE' });
    await expect(readArtifact({ ...artifact, path: '../../../secret' })).rejects.toMatchObject({
      code: 'ARTIFACT_OUTSIDE',
    });
  });

  it('go with their execution, but not while a fork has them; what is left behind is collected', async () => {
    const artifactRoot = tempDir();
    const runtime = await open({ artifactRoot });
    const workflow = writing((folder) => (writeFileSync(join(folder, 'a.txt'), 'hello'), ['a.txt']));
    const folders = (): string[] =>
      existsSync(join(artifactRoot, 'w')) ? readdirSync(join(artifactRoot, 'w')).sort() : [];
    const old = new Date(Date.now() - LONG_AGO_MS);
    const age = (id: string): void => utimesSync(join(artifactRoot, 'w', id, '.maestro.json'), old, old);
    await run(runtime, workflow, 'gone');
    await runtime.delete('gone');
    expect(folders()).toEqual([]);

    await run(runtime, workflow);
    const fork = await runtime.fork('e', { from: ['after'], workflow, executionId: 'f' });
    await fork.result;
    expect(await runtime.artifacts('f', { verify: true })).toMatchObject([{ path: 'a.txt', verified: 'ok' }]);
    await runtime.delete('e');
    expect(folders()).toEqual(['e']);
    age('e');
    // Neither ours, nor known.
    mkdirSync(join(artifactRoot, 'w', 'foreign'), { recursive: true });
    expect(await runtime.collect({ olderThanMs: 1e9 })).toEqual({ deleted: [], dryRun: false });
    expect(await runtime.artifacts('f', { verify: true })).toMatchObject([{ verified: 'ok' }]);
    await runtime.delete('f');
    expect(await runtime.collect({ olderThanMs: 1e9, dryRun: true })).toMatchObject({ orphans: ['e'] });
    expect(folders()).toEqual(['e', 'foreign']);
    expect(await runtime.collect({ olderThanMs: 1e9 })).toMatchObject({ orphans: ['e'] });
    expect(folders()).toEqual(['foreign']);
  });

  it('are those of the last run', async () => {
    const runtime = await open({ artifactRoot: tempDir() });
    let runs = 0;
    const workflow = writing(
      (folder) => (writeFileSync(join(folder, `${++runs}.txt`), 'x'.repeat(runs)), [`${runs}.txt`]),
    );
    await run(runtime, workflow);
    await (await runtime.rerun('e', 'make it/so', { workflow }))!.result;
    expect(await runtime.artifacts('e', { verify: true })).toMatchObject([
      { path: '2.txt', size_bytes: 2, metadata: { run: 1 }, verified: 'ok' },
    ]);
  });
});
