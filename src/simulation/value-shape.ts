import type { Random } from '../base/random.js';
import { EACH, type Literal, type PathPart, type Read, type ReadKind } from '../policy/condition-reads.js';
import { oneOf } from './keyed-random.js';
import { momentsAround, numbersAround, textsAround, textsLike } from './candidates.js';

/** Makes a value that fits a JSON Schema. */
export type SchemaValues = (schema: object, random: Random) => unknown;

/** Most elements of a generated list, whatever a condition asks for. */
const MAX_ITEMS = 2_000;
/** How often what conditions ask for with `has` is left out. */
const LEFT_OUT = 0.35;

/** What conditions show of a value: its parts, and the values that make a difference. */
export class ValueShape {
  private readonly fields = new Map<string, ValueShape>();
  private each: ValueShape | undefined;
  private leastItems = 0;
  private readonly kinds = new Set<ReadKind>();
  private readonly literals = new Set<Literal>();
  private readonly sizes = new Set<number>();
  /** Lists and maps that it is compared with. */
  private readonly wholes: unknown[] = [];
  private readonly patterns = new Set<string>();
  private optional = false;

  /** Takes note of one place where it is read. */
  add(read: Read): void {
    const shape = read.path.reduce((at: ValueShape, part) => at.part(part), this);
    if (read.kind !== undefined) shape.kinds.add(read.kind);
    for (const literal of read.literals) {
      if (typeof literal !== 'object' || literal === null) shape.literals.add(literal);
      else if ('size' in literal) shape.sizes.add(literal.size);
      else shape.wholes.push(literal.value);
    }
    for (const pattern of read.patterns) shape.patterns.add(pattern);
    if (read.optional) shape.optional = true;
  }

  private part(part: PathPart): ValueShape {
    if (typeof part === 'string') {
      const known = this.fields.get(part) ?? new ValueShape();
      this.fields.set(part, known);
      return known;
    }
    if (part !== EACH) this.leastItems = Math.max(this.leastItems, part + 1);
    return (this.each ??= new ValueShape());
  }

  /** The shape of a part; undefined when no condition reads it. */
  field(name: string): ValueShape | undefined {
    return this.fields.get(name);
  }

  /** A value of this shape. */
  sample(random: Random, schemaValues: SchemaValues): unknown {
    const options = [...this.literals];
    if (options.includes(null) && random() < 0.25) return null;
    if (this.wholes.length > 0 && random() < 0.5) return oneOf(random, this.wholes);
    if (this.fields.size > 0 || this.kinds.has('map')) return this.object(random, schemaValues);
    const isText =
      this.kinds.has('text') || this.patterns.size > 0 || options.some((each) => typeof each === 'string');
    const isSized = this.kinds.has('sized');
    if (this.each !== undefined || this.kinds.has('list') || (isSized && !isText))
      return this.list(random, schemaValues);
    if (isSized) return 'x'.repeat(this.size(random));
    const values = this.scalars(random, schemaValues);
    return values.length === 0 ? Math.floor(random() * 3) : oneOf(random, values);
  }

  private object(random: Random, schemaValues: SchemaValues): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const parts = new Map(this.fields);
    if (this.each !== undefined && this.kinds.has('map'))
      for (let k = this.size(random); k > 0; k--) parts.set(`key${k}`, this.each);
    for (const [key, shape] of parts) {
      const made = shape.sample(random, schemaValues);
      if (!shape.optional || random() >= LEFT_OUT) value[key] = made;
    }
    return value;
  }

  private list(random: Random, schemaValues: SchemaValues): unknown[] {
    const length = Math.max(this.leastItems, this.size(random));
    const { each } = this;
    if (each !== undefined) return Array.from({ length }, () => each.sample(random, schemaValues));
    // Elements that a condition looks for take the place of others: the length is what was drawn.
    const members = [...this.literals].filter((literal) => literal !== null && random() < 0.5);
    return [...members, ...Array.from({ length: Math.max(0, length - members.length) }, () => 'other')];
  }

  private size(random: Random): number {
    const asked = [...this.sizes].flatMap((size) => [size - 1, size, size + 1, 2 * size + 2]);
    const sizes = asked.length === 0 ? [0, 1, 2, 3] : asked;
    return Math.min(MAX_ITEMS, Math.max(0, Math.floor(oneOf(random, sizes))));
  }

  /** Every value that may make a difference, of the types that the conditions allow. */
  private scalars(random: Random, schemaValues: SchemaValues): unknown[] {
    const { kinds } = this;
    const literals = [...this.literals];
    const texts = literals.filter((literal) => typeof literal === 'string');
    if (kinds.has('moment')) return momentsAround(texts);
    if (kinds.has('duration')) return [...texts, '0s', '1s', '3600s'];
    const numbers = literals.filter((literal) => typeof literal === 'number');
    if (kinds.has('number')) return numbersAround(numbers);
    const matching = [...this.patterns].flatMap((pattern) => matched(pattern, random, schemaValues));
    if (kinds.has('text')) return [...textsAround(texts), ...matching];
    if (kinds.has('boolean')) return [true, false];
    return [
      ...(numbers.length > 0 ? numbersAround(numbers) : []),
      ...(texts.length > 0 ? textsLike(texts) : []),
      ...(literals.some((literal) => typeof literal === 'boolean') ? [true, false] : []),
      ...(literals.includes(null) && literals.length === 1 ? [null, 1] : []),
    ];
  }
}

function matched(pattern: string, random: Random, schemaValues: SchemaValues): unknown[] {
  try {
    return [schemaValues({ type: 'string', pattern }, random)];
  } catch {
    return [];
  }
}
