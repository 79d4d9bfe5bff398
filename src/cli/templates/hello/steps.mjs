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

/** The list that map.yaml goes over. */
export function list({ globalContext }) {
  return { items: Array.from({ length: globalContext.count }, (_, k) => ({ n: k + 1 })) };
}

/** Of one item: `item` is what the list has at `index`. */
export function square({ item, index }) {
  return { n: item.n, at: index, square: item.n ** 2 };
}

export function sift({ dependencyOutputs: { square: made } }) {
  if (made.n % 7 === 0) throw new Error(`${made.n} is a multiple of seven`);
  return made.square;
}

/** What came of each item, in order; null for those that failed or were skipped. */
export function sum({ dependencyOutputs: { each } }) {
  const there = each.filter((value) => value !== null);
  return { items: each.length, missing: each.length - there.length, sum: there.reduce((a, b) => a + b, 0) };
}
