import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempDirs } from '../support/temp-dir.js';
import { start } from './support/maestro.js';

const tempDir = tempDirs('printing');

it('keeps what steps print apart from the result on stdout', async () => {
  const cwd = tempDir();
  writeFileSync(
    join(cwd, 'steps.mjs'),
    `export function chatty() { console.log('printed by a step'); process.stdout.write('{"not":"the result"}\\n'); return 1; }`,
  );
  const spec = {
    workflow: { id: 'chatty', name: 'Chatty' },
    nodes: [
      { id: 'thread', name: 'Thread', type: 'custom', uses: './steps.mjs#chatty' },
      { id: 'command', name: 'Command', type: 'custom', run: 'echo printed by a command; echo 2' },
    ],
  };
  writeFileSync(join(cwd, 'chatty.json'), JSON.stringify(spec));
  const { code, out, err } = await start(['run', 'chatty.json', '--json'], { cwd }).finished;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ status: 'completed', completed_nodes: 2 });
  expect(err).toContain('printed by a step');
});
