/** The least that a worker can do. */
export default function noop(): object {
  return {};
}

/** The same for many tasks of one message. */
export function batch(tasks: readonly object[]): object[] {
  return tasks.map(noop);
}
