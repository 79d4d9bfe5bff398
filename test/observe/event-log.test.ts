import { expect, it } from 'vitest';
import { createRuntime, defineWorkflow, type Logger } from '../../src/runtime/index.js';

interface Line {
  level: string;
  message: string;
  component: string | undefined;
  [field: string]: unknown;
}

/** A logger that keeps lines of a level and above. */
function recorder(lowest: 'debug' | 'info' | 'error'): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const levels = ['debug', 'info', 'warn', 'error'];
  const isLevelEnabled = (level: string) => levels.indexOf(level) >= levels.indexOf(lowest);
  const of = (bindings: object): Logger => {
    const at = (level: string) => (fields: object, message: string) => {
      if (isLevelEnabled(level)) lines.push({ ...bindings, ...fields, level, message } as Line);
    };
    const child = (more: object) => of({ ...bindings, ...more });
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child,
      isLevelEnabled,
    };
  };
  return { logger: of({}), lines };
}

const workflow = defineWorkflow({ id: 'w' })
  .node('good', { execute: () => 'the output' })
  .node('bad', {
    dependsOn: ['good'],
    retry: { maxAttempts: 2, delaySeconds: 0.01 },
    execute: () => {
      throw new Error('no');
    },
  })
  .build();

async function linesAt(level: 'debug' | 'info' | 'error'): Promise<Line[]> {
  const { logger, lines } = recorder(level);
  await using runtime = await createRuntime({ store: 'memory:', logger, events: false });
  await (
    await runtime.start(workflow, { key: 'of the context' }, { executionId: 'e' })
  ).result;
  return lines;
}

it('has a line for what happens to executions at info, with ids, and for nodes at debug', async () => {
  const told = (lines: Line[]) =>
    lines
      .filter(({ component }) => component === 'events')
      .map(({ level, message, node_id }) => [level, message, node_id]);
  const info = [
    ['info', 'workflow started', undefined],
    ['warn', 'node failed', 'bad'],
    ['warn', 'workflow failed', undefined],
  ];
  expect(told(await linesAt('info'))).toEqual(info);
  const debug = await linesAt('debug');
  expect(told(debug)).toEqual(
    expect.arrayContaining([...info, ['debug', 'node completed', 'good'], ['debug', 'node retry', 'bad']]),
  );
  for (const line of debug.filter(({ component }) => component === 'events'))
    expect(line).toMatchObject({ execution_id: 'e', workflow_id: 'w' });
  expect(debug.find(({ level, node_id }) => level === 'warn' && node_id !== undefined)).toMatchObject({
    attempts: 2,
    error: 'no',
  });
  // Outputs and contexts are nobody's business.
  expect(JSON.stringify(debug)).not.toMatch(/the output|of the context/);
  expect(told(await linesAt('error'))).toEqual([]);
});
