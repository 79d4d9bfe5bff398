/** What `walkJson` meets, in the order of the text. */
export interface JsonVisitor {
  /** A key of an object (its name's offset) or an item of an array (its value's offset) begins. */
  begin(key: string | number, offset: number): void;
  /** What began last ends. */
  end(): void;
}

/** Why and where a text is not JSON. */
export class JsonSyntaxError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

interface Frame {
  readonly close: '}' | ']';
  /** Position of the current item of an array. */
  position: number;
}

/**
 * Walks strict JSON (RFC 8259) without building values: for places and duplicate keys, which JSON.parse does not
 * tell. Not recursive.
 * @throws JsonSyntaxError
 */
export function walkJson(text: string, visitor: JsonVisitor): void {
  const stack: Frame[] = [];
  let at = skipSpace(text, 0);
  for (;;) {
    const char = text[at];
    if (char === '{' || char === '[') {
      const frame: Frame = { close: char === '{' ? '}' : ']', position: 0 };
      const first = skipSpace(text, at + 1);
      if (text[first] !== frame.close) {
        stack.push(frame);
        at = beginMember(text, first, frame, visitor);
        continue;
      }
      at = first + 1;
    } else {
      at = skipScalar(text, at);
    }
    at = closeFrames(text, skipSpace(text, at), stack, visitor);
    if (stack.length === 0) break;
  }
  if (at < text.length) throw unexpected(text, at, 'the end');
}

/** After a value: leaves everything that ends here and begins the next member, if there is one. */
function closeFrames(text: string, start: number, stack: Frame[], visitor: JsonVisitor): number {
  let at = start;
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    visitor.end();
    if (text[at] === ',') {
      frame.position++;
      return beginMember(text, skipSpace(text, at + 1), frame, visitor);
    }
    if (text[at] !== frame.close) throw unexpected(text, at, `"," or "${frame.close}"`);
    stack.pop();
    at = skipSpace(text, at + 1);
  }
  return at;
}

/** Reads up to the member's value. */
function beginMember(text: string, at: number, frame: Frame, visitor: JsonVisitor): number {
  if (frame.close === ']') {
    visitor.begin(frame.position, at);
    return at;
  }
  if (text[at] !== '"') throw unexpected(text, at, 'a key in double quotes');
  const end = skipString(text, at);
  visitor.begin(JSON.parse(text.slice(at, end)) as string, at);
  const colon = skipSpace(text, end);
  if (text[colon] !== ':') throw unexpected(text, colon, '":"');
  return skipSpace(text, colon + 1);
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \n\r\t'.includes(text[at])) at++;
  return at;
}

const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

function skipScalar(text: string, at: number): number {
  if (text[at] === '"') return skipString(text, at);
  SCALAR.lastIndex = at;
  if (!SCALAR.test(text)) throw unexpected(text, at, 'a value');
  return SCALAR.lastIndex;
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === 0x22) return at + 1;
    if (char < 0x20) throw new JsonSyntaxError('a line break or control character inside a string', at);
    if (char === 0x5c) {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) throw new JsonSyntaxError('an unknown escape sequence in a string', at);
      at = ESCAPE.lastIndex;
    } else {
      at++;
    }
  }
  throw new JsonSyntaxError('a string that does not end', start);
}

function unexpected(text: string, at: number, expected: string): JsonSyntaxError {
  const point = text.codePointAt(at);
  const found = point === undefined ? 'the end of the text' : JSON.stringify(String.fromCodePoint(point));
  return new JsonSyntaxError(`expected ${expected}, found ${found}`, at);
}
