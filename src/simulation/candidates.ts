/** Numbers on both sides of those that conditions compare with, and at them. */
export function numbersAround(numbers: readonly number[]): number[] {
  const around = numbers.flatMap((n) =>
    Number.isInteger(n) ? [n - 1, n, n + 1, 2 * n + 2] : [n / 2, n, n * 1.5, Math.ceil(n), Math.floor(n)],
  );
  return distinct(around.length === 0 ? [0, 1, 2, 10, 100] : [...around, 0, 1]);
}

/** Texts that begin with, end with and contain those that conditions look for, and one that does not. */
export function textsAround(texts: readonly string[]): string[] {
  const around = texts.flatMap((text) => [text, `${text} more`, `more ${text}`]);
  return distinct([...around, 'other']);
}

/** Texts that equal those that conditions compare with, and one that equals none. */
export function textsLike(texts: readonly string[]): string[] {
  return distinct([...texts, 'other']);
}

const DAY_MS = 86_400_000;

/** Moments before, at and after those that conditions compare with. */
export function momentsAround(texts: readonly string[]): string[] {
  const known = texts.map((text) => Date.parse(text)).filter((atMs) => !Number.isNaN(atMs));
  const around = (known.length === 0 ? [Date.UTC(2030, 0, 1)] : known).flatMap((atMs) => [
    atMs - DAY_MS,
    atMs,
    atMs + DAY_MS,
  ]);
  return around.map((atMs) => new Date(atMs).toISOString());
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
