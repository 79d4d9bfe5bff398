import type { CelInput } from '@bufbuild/cel';

/** Work that one evaluation may do; a unit is about a tenth of a microsecond, so all of it well under a second. */
const WORK_LIMIT = 1_000_000;
const UNITS_PER_ITERATION = 10;
const CHARACTERS_PER_UNIT = 32;

/**
 * Bounds what one evaluation costs, whatever the data: conditions run on the thread that runs everything else.
 * Once exhausted it stays so until the next evaluation, because `||` and `&&` absorb errors.
 */
export class WorkBudget {
  private left = WORK_LIMIT;

  get exhausted(): boolean {
    return this.left < 0;
  }

  reset(limit = WORK_LIMIT): void {
    this.left = limit;
  }

  charge(units: number): void {
    this.left -= units;
    if (this.left < 0) throw new RangeError('out of work budget');
  }

  chargeIteration(): void {
    this.charge(UNITS_PER_ITERATION);
  }
}

/** A JSON value as CEL sees it; converted only as far as it is read, and charged for that. */
export function toCelLazily(value: unknown, budget: WorkBudget): CelInput {
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return value;
    case 'string':
      budget.charge(1 + value.length / CHARACTERS_PER_UNIT);
      return value;
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) {
        budget.charge(1 + value.length);
        return value.map((element) => toCelLazily(element, budget));
      }
      return new JsonMap(value, budget);
    default:
      throw new TypeError(`a ${typeof value} is not a JSON value`);
  }
}

/**
 * An object, or a map by string, as the CEL library reads maps. Only own properties exist: names such as
 * `__proto__` and `constructor` are keys like any other.
 */
class JsonMap extends Map<string, CelInput> {
  private readonly source: object;
  private readonly budget: WorkBudget;

  constructor(source: object, budget: WorkBudget) {
    super();
    this.source = source;
    this.budget = budget;
  }

  override get(key: unknown): CelInput | undefined {
    if (typeof key !== 'string') return undefined;
    this.budget.charge(1);
    const value = this.read(key);
    return value === undefined ? undefined : toCelLazily(value, this.budget);
  }

  override has(key: unknown): boolean {
    return typeof key === 'string' && this.read(key) !== undefined;
  }

  override get size(): number {
    return this.names().length;
  }

  override *keys(): MapIterator<string> {
    yield* this.names();
  }

  override *values(): MapIterator<CelInput> {
    for (const key of this.names()) yield this.get(key)!;
  }

  override *entries(): MapIterator<[string, CelInput]> {
    for (const key of this.names()) yield [key, this.get(key)!];
  }

  override [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries();
  }

  override forEach(visit: (value: CelInput, key: string, map: Map<string, CelInput>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }

  private read(key: string): unknown {
    if (this.source instanceof Map) return (this.source as Map<string, unknown>).get(key);
    return Object.hasOwn(this.source, key) ? (this.source as Record<string, unknown>)[key] : undefined;
  }

  private names(): string[] {
    const names =
      this.source instanceof Map
        ? [...(this.source as Map<string, unknown>).keys()]
        : Object.keys(this.source);
    this.budget.charge(1 + names.length);
    return names.filter((name) => this.read(name) !== undefined);
  }
}
