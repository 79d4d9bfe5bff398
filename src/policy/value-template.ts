/** A value with expressions in it: every text that is `${…}` as a whole stands for what the expression gives. */
const EXPRESSION = /^\s*\$\{([^]*)\}\s*$/;

/** The expression that a value is; undefined: it is none. */
function expressionOf(value: unknown): string | undefined {
  return typeof value === 'string' ? EXPRESSION.exec(value)?.[1].trim() : undefined;
}

/** Every expression in a value, and where: keys and positions from its root. */
export function templateExpressions(
  value: unknown,
  path: readonly (string | number)[] = [],
): { source: string; path: readonly (string | number)[] }[] {
  const source = expressionOf(value);
  if (source !== undefined) return [{ source, path }];
  if (Array.isArray(value)) return value.flatMap((each, k) => templateExpressions(each, [...path, k]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => templateExpressions(each, [...path, key]));
}

/** The value with what its expressions give in their places. */
export function fillTemplate(value: unknown, evaluate: (source: string) => unknown): unknown {
  const source = expressionOf(value);
  if (source !== undefined) return evaluate(source);
  if (Array.isArray(value)) return value.map((each) => fillTemplate(each, evaluate));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, fillTemplate(each, evaluate)] as const),
  );
}
