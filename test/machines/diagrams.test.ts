import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { toMermaid } from '../../machines/diagram.js';
import { nodeMachine, workflowMachine } from '../../machines/index.js';

it.each([nodeMachine, workflowMachine])(
  'machines/diagrams/$id.mmd is fresh (npm run diagrams)',
  (machine) => {
    const stored = readFileSync(
      new URL(`../../machines/diagrams/${machine.id}.mmd`, import.meta.url),
      'utf8',
    );
    expect(stored).toBe(toMermaid(machine));
  },
);

it('draws transitions with events and guards, and no late events', () => {
  const diagram = toMermaid(nodeMachine);
  expect(diagram).toContain('running --> failed_retrying: attemptFailed [willRetry]');
  expect(diagram).toContain('blocked --> pending: dependencyRestored');
  expect(diagram).not.toContain('cancelled --> cancelled');
});
