import { mkdirSync, writeFileSync } from 'node:fs';
import { toMermaid } from './diagram.js';
import { nodeMachine, workflowMachine } from './index.js';

/** Run from `dist/machines` by `npm run diagrams`: the diagrams live beside the sources, not in `dist`. */
const folder = new URL('../../machines/diagrams/', import.meta.url);

mkdirSync(folder, { recursive: true });
for (const machine of [nodeMachine, workflowMachine]) {
  writeFileSync(new URL(`${machine.id}.mmd`, folder), toMermaid(machine));
}
