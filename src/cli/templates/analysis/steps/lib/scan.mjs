// Tells code, comments and strings apart, for every language with one small scanner. It is a heuristic: here
// documents, raw C++ strings and nested block comments are not understood. Confusion ends at the end of the line
// for ordinary quotes, so a mistake stays small.
import { syntaxOf } from './languages.mjs';

export const CODE = 0;
export const COMMENT = 1;
export const STRING = 2;

// A slash after one of these begins a regular expression, not a division.
const BEFORE_REGEX = /(?:^|=>|[(,=:[!&|?{};+\-*%~^]|\b(?:return|typeof|case|in|of|await|yield))$/;

/** One class per UTF-16 unit of `text`: CODE, COMMENT or STRING (delimiters included). */
export function classify(text, language) {
  const syntax = syntaxOf(language);
  const classes = new Uint8Array(text.length);
  const open = []; // brace depths at which `${…}` of a template literal ends
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === '{') depth += 1;
    if (char === '}') {
      if (open.length > 0 && open.at(-1) === depth) {
        open.pop();
        depth -= 1;
        at = template(at);
        continue;
      }
      depth -= 1;
    }
    if (syntax.templates && char === '`') {
      at = template(at);
      continue;
    }
    const token = tokenAt(text, at, syntax);
    if (token) classes.fill(token.kind, at, token.end);
    at = token ? token.end : at + 1;
  }
  return classes;

  /** Marks a piece of a template literal from `start` to its end or to the next `${`; gives where to go on. */
  function template(start) {
    let end = start + 1;
    while (end < text.length && text[end] !== '`') {
      if (text[end] === '$' && text[end + 1] === '{') {
        classes.fill(STRING, start, end + 2);
        depth += 1;
        open.push(depth);
        return end + 2;
      }
      end += text[end] === '\\' ? 2 : 1;
    }
    end = Math.min(end + 1, text.length);
    classes.fill(STRING, start, end);
    return end;
  }
}

/** The comment, string or regular expression that begins at `at`, if one does. */
function tokenAt(text, at, syntax) {
  for (const [opening, closing] of syntax.block) {
    if (text.startsWith(opening, at)) return until(text, at, opening.length, closing, COMMENT);
  }
  for (const opening of syntax.line) {
    if (text.startsWith(opening, at)) return lineComment(text, at, opening);
  }
  const char = text[at];
  if (syntax.triple && (text.startsWith('"""', at) || text.startsWith("'''", at))) {
    return until(text, at, 3, text.slice(at, at + 3), STRING);
  }
  if (syntax.quotes.includes(char)) return quoted(text, at, char, false);
  if (syntax.longQuotes?.includes(char)) return quoted(text, at, char, true);
  if (syntax.rawQuotes?.includes(char)) return until(text, at, 1, char, STRING);
  if (syntax.chars && char === "'") {
    const literal = /^'(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'])'/.exec(text.slice(at, at + 14));
    return literal ? { kind: STRING, end: at + literal[0].length } : undefined;
  }
  if (syntax.templates && char === '/') return regex(text, at);
  return undefined;
}

function until(text, at, skip, closing, kind) {
  const found = text.indexOf(closing, at + skip);
  return { kind, end: found < 0 ? text.length : found + closing.length };
}

function lineComment(text, at, opening) {
  // `$#` and `a#b` in shells are no comments.
  if (opening === '#' && at > 0 && !/\s/.test(text[at - 1])) return undefined;
  const found = text.indexOf('\n', at);
  return { kind: COMMENT, end: found < 0 ? text.length : found };
}

function quoted(text, at, quote, multiLine) {
  let end = at + 1;
  while (end < text.length && text[end] !== quote) {
    if (text[end] === '\n' && !multiLine) return { kind: STRING, end };
    end += text[end] === '\\' ? 2 : 1;
  }
  return { kind: STRING, end: Math.min(end + 1, text.length) };
}

function regex(text, at) {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  if (!BEFORE_REGEX.test(before)) return undefined;
  let inClass = false;
  for (let end = at + 1; end < text.length && text[end] !== '\n'; end++) {
    if (text[end] === '\\') end += 1;
    else if (text[end] === '[') inClass = true;
    else if (text[end] === ']') inClass = false;
    else if (text[end] === '/' && !inClass) return { kind: STRING, end: end + 1 };
  }
  return undefined;
}

/** `text` with everything but the wanted classes blanked out; line ends stay, so positions and lines still fit. */
export function keep(text, classes, ...wanted) {
  let result = '';
  let at = 0;
  while (at < text.length) {
    const kind = classes[at];
    let end = at + 1;
    while (end < text.length && classes[end] === kind) end += 1;
    const run = text.slice(at, end);
    result += wanted.includes(kind) ? run : run.replace(/[^\n]/g, ' ');
    at = end;
  }
  return result;
}
