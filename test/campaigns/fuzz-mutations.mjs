import fc from 'fast-check';

/* Ways to make bad input of good: of bytes, of texts, of documents. `random` gives numbers from 0 to 1. */

const below = (random, limit) => Math.floor(random() * limit);
export const pick = (random, list) => list[below(random, list.length)];

/** Words that have broken other programs. */
export const NASTY = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '../../../../etc/passwd',
  '/',
  '.',
  '..',
  '\u0000',
  '\u202e',
  '\ud800',
  '${outputs.a}',
  '1e999',
  '-0',
  '0777',
  'a'.repeat(5000),
  '{{}}',
  '<<: *a',
  '&a [*a]',
  '!!js/function "x"',
  '---',
  '\t',
  '\r',
  'null',
  '9007199254740993',
];

const NASTY_VALUES = [null, true, 0, -1, 1e308, 2 ** 53, '', [], {}, [[[]]], ...NASTY];

/** Flips, cuts, repeats and inserts bytes. */
export function mutateBytes(bytes, random) {
  let result = Buffer.from(bytes);
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const at = below(random, result.length + 1);
    const span = Math.min(1 + below(random, 20), result.length - at);
    switch (below(random, 6)) {
      case 0:
        if (at < result.length) result[at] ^= 1 << below(random, 8);
        break;
      case 1:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + span)]);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at, at + span), result.subarray(at)]);
        break;
      case 3:
        result = Buffer.concat([
          result.subarray(0, at),
          Buffer.from(pick(random, NASTY)),
          result.subarray(at),
        ]);
        break;
      case 4:
        result = result.subarray(0, at);
        break;
      default:
        if (at < result.length) result[at] = pick(random, [0, 0x7f, 0x80, 0xff, below(random, 256)]);
    }
  }
  return result;
}

export function mutateText(text, random) {
  return mutateBytes(Buffer.from(text), random).toString();
}

/** Puts something strange somewhere into a JSON document. */
export function mutateDocument(document, random) {
  const copy = structuredClone(document);
  for (let left = 1 + below(random, 3); left > 0; left--) {
    let at = copy;
    for (let depth = below(random, 5); depth > 0; depth--) {
      const inner = Object.values(at).filter((value) => typeof value === 'object' && value !== null);
      if (inner.length === 0) break;
      at = pick(random, inner);
    }
    const key = random() < 0.3 ? pick(random, NASTY) : pick(random, [...Object.keys(at), 'x']);
    const value = strange(random);
    // As a JSON text has it: a key like any other.
    Object.defineProperty(at, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function strange(random) {
  const kind = random();
  // A copy: what is mutated next may be inside of it, and a case must not depend on those before.
  if (kind < 0.6) return structuredClone(pick(random, NASTY_VALUES));
  if (kind < 0.7) return deep(1 + below(random, 3000));
  const [value] = fc.sample(fc.jsonValue({ maxDepth: 4 }), { seed: below(random, 2 ** 31), numRuns: 1 });
  return value;
}

function deep(levels) {
  let value = 1;
  for (let k = 0; k < levels; k++) value = k % 2 === 0 ? [value] : { a: value };
  return value;
}

/** A text of words from a list, with mutations now and then. */
export function wordSalad(words, random, most) {
  const count = 1 + below(random, most);
  const text = Array.from({ length: count }, () => pick(random, words)).join(random() < 0.5 ? ' ' : '');
  return random() < 0.3 ? mutateText(text, random) : text;
}

/** YAML whose aliases multiply: levels of lists of the level before. */
export function bomb(random) {
  const [levels, width] = [2 + below(random, 12), 2 + below(random, 12)];
  const lines = ['a0: &a0 [lol, lol]'];
  for (let k = 1; k <= levels; k++)
    lines.push(
      `a${k}: &a${k} [${Array(width)
        .fill(`*a${k - 1}`)
        .join(', ')}]`,
    );
  return `${lines.join('\n')}\nworkflow: { id: a, name: *a${levels} }\nnodes: *a${levels}\n`;
}
