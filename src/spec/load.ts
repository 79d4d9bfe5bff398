import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { MaestroError } from '../base/errors.js';
import { findDuplicateKeys } from './json-source.js';
import { parseSource, syntaxError, type SourceFormat } from './source.js';
import { readSourceFile, readSourceText } from './source-file.js';
import { MAX_NESTED_WORKFLOWS } from './subworkflows.js';
import { importWfFormat, isWfFormat, mapToTasks } from './wfformat.js';
import { assembleWorkflow, type LoadedWorkflow, type WorkflowOptions } from './workflow.js';

export interface LoadOptions {
  /** For imported recordings: a task lasts its recorded runtime × this. 0: no work. Default 1. */
  timeScale?: number;
  /** Inline functions by node id. */
  functions?: WorkflowOptions['functions'];
}

export interface ParseOptions extends LoadOptions, WorkflowOptions {
  format: SourceFormat;
  /** Name for messages. */
  file?: string;
}

/**
 * Reads a workflow file: .yaml, .yml or .json, each also gzipped (.gz). WfFormat is recognised by its content.
 * `uses` and `run` are relative to the file's folder.
 * @throws SPEC_NOT_FOUND, SPEC_UNREADABLE, SPEC_SYNTAX, SPEC_INVALID, CYCLE; the last three with `problems`
 */
export async function loadWorkflowFile(path: string, options: LoadOptions = {}): Promise<LoadedWorkflow> {
  const { text, format } = await readSourceFile(path);
  return parseWorkflow(text, { ...options, format, file: path, baseDir: dirname(resolve(path)) });
}

/**
 * Makes a workflow of a text; what its subworkflow nodes run is read from their files.
 * @throws SPEC_UNREADABLE, SPEC_SYNTAX, SPEC_INVALID, CYCLE
 */
export function parseWorkflow(text: string, options: ParseOptions): LoadedWorkflow {
  return parseWithin(text, options, options.file === undefined ? [] : [resolve(options.file)]);
}

/** @param files the files that this one is read for, the outermost first, and itself */
function parseWithin(text: string, options: ParseOptions, files: readonly string[]): LoadedWorkflow {
  const { value, map } = parseSource(text, options.format, options.file);
  if (isWfFormat(value)) {
    const spec = importWfFormat(value, options.timeScale, map);
    return assembleWorkflow(spec, { ...options, source: mapToTasks(map), schema: false });
  }
  if (options.format === 'json') {
    const duplicates = findDuplicateKeys(text, options.file);
    if (duplicates.length > 0) throw syntaxError(options.file ?? 'the text', duplicates);
  }
  const loadSubworkflow = (path: string): LoadedWorkflow => loadChild(path, options, files);
  return assembleWorkflow(value, { ...options, source: map, schema: true, loadSubworkflow });
}

/** Reads what a subworkflow node runs. Messages name the file as seen from where the outermost one was named. */
function loadChild(
  path: string,
  { file, baseDir = '.', timeScale }: ParseOptions,
  files: readonly string[],
): LoadedWorkflow {
  const named = file === undefined || isAbsolute(path) ? path : join(dirname(file), path);
  const absolute = resolve(baseDir, path);
  if (files.includes(absolute)) {
    const cycle = [...files.slice(files.indexOf(absolute)), absolute]
      .map((each) => basename(each))
      .join(' → ');
    throw new MaestroError('SPEC_INVALID', `workflow files run each other: ${cycle}`);
  }
  if (files.length > MAX_NESTED_WORKFLOWS)
    throw new MaestroError(
      'SPEC_INVALID',
      `workflows are nested in each other more than ${MAX_NESTED_WORKFLOWS} deep`,
    );
  const { text, format } = readSourceText(absolute, named);
  return parseWithin(text, { timeScale, format, file: named, baseDir: dirname(absolute) }, [
    ...files,
    absolute,
  ]);
}
