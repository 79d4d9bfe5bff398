import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime } from '../../runtime/index.js';
import { expect } from './runner.js';

const WORKFLOW = `workflow: { id: killed, name: Killed }
nodes:
  - { id: first, name: first, type: custom, run: 'echo first >> ran' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'echo second >> ran; test -e go || sleep 30' }
  - { id: third, name: third, type: custom, dependencies: [second], run: 'echo third >> ran' }
`;
const LOOK_EVERY_MS = 20;

/** Kills a process in mid-workflow, and continues in this one: what was done is not done again. */
export async function killed(folder: string): Promise<string> {
  writeFileSync(join(folder, 'workflow.yaml'), WORKFLOW);
  const main = new URL('../main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'run', 'workflow.yaml', '--store', 'lmdb:store', '--quiet'], {
    cwd: folder,
    stdio: 'ignore',
    detached: true,
  });
  try {
    await secondRuns(folder, child);
  } finally {
    end(child);
  }
  await once(child, 'exit');
  writeFileSync(join(folder, 'go'), '');
  const runtime = await createRuntime({ store: `lmdb:${join(folder, 'store')}`, recover: false });
  try {
    const recovered = await runtime.recover();
    expect(recovered.length === 1, `${recovered.length} executions were found to resume`);
    const { status } = await (await runtime.resume(recovered[0].executionId)).result;
    expect(status === 'completed', `the resumed execution is ${status}`);
  } finally {
    await runtime.close();
  }
  const ran = lines(folder).join(', ');
  expect(ran === 'first, second, second, third', `these ran: ${ran}`);
  return 'a killed process was continued; its completed node did not run again';
}

async function secondRuns(folder: string, child: ChildProcess): Promise<void> {
  while (!lines(folder).includes('second')) {
    expect(child.exitCode === null, `the process ended by itself with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Its own process group: the command that it runs goes with it. */
function end(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function lines(folder: string): string[] {
  const path = join(folder, 'ran');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}
