// The longest and the most branching functions, by a simple rule that needs no parser.
//
// A function is what stands in the braces after a header that looks like one (Python: the lines indented deeper
// than its `def`). Its complexity is 1 + the number of decisions in it: if, for, while, case, catch, except, elif,
// when, `&&`, `||`, `??`, `and`, `or` and the conditional operator, close to McCabe (A Complexity Measure, 1976).
// What an inner function decides counts for the outer one too.
import { byCount, collected, eachText, shardOf } from './lib/files.mjs';
import { syntaxOf } from './lib/languages.mjs';
import { classify, CODE, keep } from './lib/scan.mjs';

const LISTED = 30;
const HEADER_LENGTH = 2000;
const DECISION = /\b(?:if|for|while|case|catch|when)\b|&&|\|\||\?\?|\?(?![.?:)\],])/g;
const PYTHON_DECISION = /\b(?:if|elif|for|while|except|case|and|or)\b/g;
const NO_FUNCTION =
  /^(?:if|for|while|switch|catch|with|return|do|else|try|synchronized|using|lock|match|when|foreach|fixed|sizeof|throw|new|await)$/;

/** Config: `shard`, `shards`. */
export async function measureFunctions(context) {
  const { root, files } = await collected(context);
  const found = [];
  const sources = shardOf(files, context.nodeConfig).filter((file) => syntaxOf(file.language).functions);
  const unreadable = await eachText(context, root, sources, (file, text) => {
    for (const item of functionsOf(text, file.language)) found.push({ path: file.path, ...item });
  });
  const place = (item) => `${item.path}:${String(item.line).padStart(8, '0')}`;
  return {
    functions: found.length,
    total_lines: found.reduce((sum, item) => sum + item.lines, 0),
    longest: [...found].sort(byCount((item) => item.lines, place)).slice(0, LISTED),
    most_complex: [...found].sort(byCount((item) => item.complexity, place)).slice(0, LISTED),
    unreadable,
  };
}

/** The functions of a text: name, first line (from 1), number of lines, complexity. */
export function functionsOf(text, language) {
  const code = keep(text, classify(text, language), CODE);
  const lineAt = lineFinder(code);
  const indented = syntaxOf(language).functions === 'indentation';
  const decisions = [...code.matchAll(indented ? PYTHON_DECISION : DECISION)].map((match) => match.index);
  return (indented ? indentedFunctions(code) : bracedFunctions(code)).map(({ name, start, end }) => ({
    name,
    line: lineAt(start),
    lines: lineAt(end) - lineAt(start) + 1,
    complexity: 1 + lowerBound(decisions, end) - lowerBound(decisions, start),
  }));
}

function bracedFunctions(code) {
  const found = [];
  const open = [];
  for (let at = 0; at < code.length; at++) {
    if (code[at] === '{') open.push(headerBefore(code, at));
    else if (code[at] === '}') {
      const header = open.pop();
      if (header) found.push({ ...header, end: at });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** Name and place of the function whose body opens at `brace`, or undefined when something else does. */
function headerBefore(code, brace) {
  let depth = 0;
  let start = brace;
  const limit = Math.max(0, brace - HEADER_LENGTH);
  while (start > limit) {
    const char = code[start - 1];
    if (char === ')' || char === ']') depth += 1;
    else if (char === '(' || char === '[') {
      if (depth === 0) break;
      depth -= 1;
    } else if (depth === 0 && (char === ';' || char === '{' || char === '}')) break;
    start -= 1;
  }
  const header = code.slice(start, brace);
  const name = functionName(header.trim());
  if (name === undefined) return undefined;
  return { name, start: start + (header.length - header.trimStart().length) };
}

function functionName(header) {
  const keyword = /\b(?:function|func|fun|fn)\b\s*\*?\s*(?:\([^)]*\)\s*)?([\w$]*)/.exec(header);
  if (keyword) return keyword[1] || assignedName(header);
  if (header.endsWith('=>')) return assignedName(header);
  if (!header.includes('(') || /\b(?:class|interface|enum|struct|namespace|record)\s+\w+/.test(header)) {
    return undefined;
  }
  const called = /([\w$#~]+)\s*(?:<[^()]*>)?\s*\(/.exec(header)?.[1];
  if (called === undefined || NO_FUNCTION.test(called) || /[=?]\s*[^>]*$/.test(header.split('(')[0])) {
    return undefined;
  }
  return called;
}

function assignedName(header) {
  return /([\w$#]+)\s*(?:\?)?(?::[^=]*)?[=:]\s*(?:async\b)?[^=]*/.exec(header)?.[1] ?? '(anonymous)';
}

function indentedFunctions(code) {
  const found = [];
  const lines = code.split('\n');
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1) + line.length + 1);
  for (const [index, line] of lines.entries()) {
    const header = /^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)/.exec(line);
    if (!header) continue;
    let last = index;
    let parentheses = balance(line);
    for (let next = index + 1; next < lines.length; next++) {
      const inSignature = parentheses > 0;
      parentheses += inSignature ? balance(lines[next]) : 0;
      if (lines[next].trim() === '') continue;
      if (!inSignature && /^[ \t]*/.exec(lines[next])[0].length <= header[1].length) break;
      last = next;
    }
    found.push({ name: header[2], start: starts[index], end: starts[last + 1] - 1 });
  }
  return found;
}

/** Parentheses opened and not closed in a line. */
function balance(line) {
  return line.split('(').length - line.split(')').length;
}

function lineFinder(code) {
  const ends = [];
  for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) ends.push(at);
  return (offset) => lowerBound(ends, offset) + 1;
}

/** How many of the sorted numbers are below `value`. */
function lowerBound(numbers, value) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
