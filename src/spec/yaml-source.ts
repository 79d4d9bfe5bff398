import { createRequire } from 'node:module';
import type * as YamlModule from 'yaml';
import type { Document, LineCounter, YAMLError, YAMLWarning } from 'yaml';
import type { Problem } from '../base/errors.js';
import type { Path, Place } from './findings.js';
import type { Source } from './source.js';

/** The parser, loaded when first needed: JSON needs none, and most commands read no spec. */
function loadYaml(): typeof YamlModule {
  return createRequire(import.meta.url)('yaml') as typeof YamlModule;
}

/** Aliases resolved at most: more is an attempt to fill the memory ("billion laughs"). */
const MAX_ALIASES = 1000;

/** Parses YAML 1.2 (core schema, with merge keys). Duplicate keys are errors. */
export function parseYaml(text: string, file?: string): Source | Problem[] {
  const { LineCounter, parseDocument } = loadYaml();
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter,
      merge: true,
      prettyErrors: false,
      logLevel: 'error',
    });
    // Its warnings are about tags nobody resolves: what they mean is lost, so they are errors here.
    const errors = [...document.errors, ...document.warnings];
    if (errors.length > 0) return errors.map((error) => toProblem(error, lineCounter, file));
    // Through JSON: aliases become copies, and what JSON cannot hold does not get any further.
    const value: unknown = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES }) ?? null));
    return {
      value,
      map: { file, locate: (paths) => paths.map((path) => locate(document, lineCounter, path)) },
    };
  } catch (error) {
    return [{ code: 'SYNTAX', message: `not usable YAML: ${reason(error)}`, severity: 'error', file }];
  }
}

/** The parser is recursive, so very deep nesting ends in a RangeError. */
function reason(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deep';
  return error instanceof Error ? error.message : String(error);
}

function toProblem(
  error: YAMLError | YAMLWarning,
  lineCounter: LineCounter,
  file: string | undefined,
): Problem {
  const { line, col } = lineCounter.linePos(error.pos[0]);
  return {
    code: 'SYNTAX',
    message: `not valid YAML: ${error.message}`,
    severity: 'error',
    file,
    line,
    column: col,
  };
}

/** The place of a path or, when it leads nowhere, of its longest part that exists. */
function locate(document: Document.Parsed, lineCounter: LineCounter, path: Path): Place {
  const { isMap, isNode, isScalar, isSeq } = loadYaml();
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === part);
      if (pair === undefined) break;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number' && part < node.items.length) {
      node = node.items[part];
      if (isNode(node) && node.range) offset = node.range[0];
    } else {
      break;
    }
  }
  const { line, col } = lineCounter.linePos(offset);
  return { line, column: col };
}
