import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A step gets one object and returns plain JSON values. */
export function greet({ globalContext }) {
  return { text: `Hello, ${globalContext.name ?? 'world'}!` };
}

/** What is wrong, as the context has it. */
export function check({ globalContext }) {
  return { errors: globalContext.errors };
}

/** Outputs of the dependencies come by node id; `artifacts` in what is returned are kept as the node's files. */
export async function letter(context) {
  const { greet, system } = context.dependencyOutputs;
  const path = join(context.artifactDir(), 'letter.txt');
  await writeFile(path, `${greet.text}\nSent from ${system.platform}.\n`);
  return { letter: path, artifacts: [path] };
}
