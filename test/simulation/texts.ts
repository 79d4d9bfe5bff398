/** What the expressions of generated workflows come to: written anew, without the runtime's CEL. */

/** @returns null: it cannot be evaluated */
export function truthOf(condition: string, output: unknown): boolean | null {
  if (condition === 'true' || condition === 'false') return condition === 'true';
  const [, key, operator, number] = /\.(attempt|run|iteration) (==|>=) (\d+)$/.exec(condition) ?? [];
  const value = key === undefined ? undefined : fieldOf(output, key);
  if (typeof value !== 'number') return null;
  return operator === '==' ? value === Number(number) : value >= Number(number);
}

/** Whether a loop is over. */
export function isOver(until: string, iteration: number, output: unknown): boolean | null {
  return truthOf(until, until.startsWith('node.iteration') ? { iteration } : output);
}

/** The list of a map. @param output of the node that it reads @returns null: it cannot be evaluated, or is none */
export function listOf(map: string, output: unknown): readonly number[] | null {
  const [, literal, filter] = /^(\[[\d, ]*\])(\.filter.*)?$/.exec(map) ?? [];
  if (literal === undefined) return null;
  const all = JSON.parse(literal) as number[];
  if (filter === undefined) return all;
  const [attempt, run] = [fieldOf(output, 'attempt'), fieldOf(output, 'run')];
  if (typeof attempt !== 'number' || typeof run !== 'number') return null;
  return all.filter((n) => n <= attempt + run);
}

/** The node whose output an expression reads; undefined: none. */
export function readBy(expression: string): string | undefined {
  return /outputs\['([^']+)'\]/.exec(expression)?.[1];
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
