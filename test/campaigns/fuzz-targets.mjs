import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { Writable } from 'node:stream';
import { parse } from 'yaml';
import {
  compileCondition,
  decodeChunk,
  decodeJournalRecord,
  encodeChunk,
  encodeJournalRecord,
  exportSnapshot,
  importSnapshot,
  openKv,
  parseWorkflow,
  runCommandLine,
  safeFolder,
  seal,
  unseal,
  verifySnapshot,
  verifyStore,
} from './internals.mjs';
import { assertRefusal } from './fuzz-refusal.mjs';
import { http, requests } from './fuzz-running.mjs';
import { CEL, WORDS } from './fuzz-words.mjs';
import { bomb, mutateBytes, mutateDocument, mutateText, pick, wordSalad } from './fuzz-mutations.mjs';

/*
 * What is fuzzed. Each target takes a random source, makes an input and uses it as the product does; it throws when the
 * product did anything but take the input or refuse it with an error of its own.
 */

const REPOSITORY = resolve(import.meta.dirname, '../..');
const SPECS = [
  'src/cli/templates/pipeline/workflow.yaml',
  'src/cli/templates/analysis/workflow.yaml',
  'src/cli/templates/sdlc/parallel.yaml',
  'test/fixtures/specs/everything-wrong.yaml',
].map((path) => readFileSync(join(REPOSITORY, path), 'utf8'));
const DOCUMENTS = SPECS.map((text) => parse(text));

function spec(random) {
  const kind = random();
  const format = kind < 0.5 ? 'yaml' : 'json';
  let text;
  if (kind < 0.05) text = bomb(random);
  else if (kind < 0.35) text = mutateText(pick(random, SPECS), random);
  else {
    text = JSON.stringify(mutateDocument(pick(random, DOCUMENTS), random));
    if (kind > 0.8) text = mutateText(text, random);
  }
  try {
    parseWorkflow(text, { format, baseDir: REPOSITORY });
  } catch (error) {
    assertRefusal(error, `${format} ${JSON.stringify(text.slice(0, 500))}`);
  }
}

const INPUT = {
  outputs: new Map([
    ['a', { count: 1, text: 'a'.repeat(200) }],
    ['b', null],
    ['list', Array.from({ length: 300 }, (_, k) => k)],
  ]),
  globalContext: { x: 1, deep: { y: [1, { z: 2 }] } },
  node: { id: 'n', name: 'n', config: {} },
};

function condition(random) {
  const source = wordSalad(CEL, random, 12);
  try {
    compileCondition(source).evaluate(INPUT);
  } catch (error) {
    assertRefusal(error, `condition ${JSON.stringify(source)}`);
  }
}

const KEY = 'x/e/j/000000000000';
const ERROR = { name: 'Error', message: 'm', stack: 's', cause: { name: 'E', message: 'c' } };
const PROBLEM = { path: '/a', message: 'm', value: '1' };
const VERDICT = {
  contract: 'c',
  side: 'output',
  severity: 'blocking',
  status: 'breached',
  problems: [PROBLEM],
};
const ENTRIES = [
  { node: 5, event: { type: 'contractsChecked', verdicts: [VERDICT] }, atMs: 8 },
  { node: 5, event: { type: 'edgeEvaluated', from: 4, verdict: { taken: null, error: ERROR } }, atMs: 8 },
  { node: -1, event: { type: 'started' }, atMs: 1.7e12 },
  { node: 0, event: { type: 'attemptStarted' }, atMs: 1.7e12 },
  {
    node: 0,
    event: { type: 'attemptFailed', error: ERROR, durationMs: 3, retryAtMs: 1.7e12 + 5 },
    atMs: 1.7e12 + 3,
  },
  {
    node: 1,
    event: { type: 'attemptSucceeded', output: '{"a":1}', artifacts: ['p'], durationMs: 0.5 },
    atMs: 1.7e12,
  },
  {
    node: 1,
    event: { type: 'attemptSucceeded', output: { sizeBytes: 7e4 }, artifacts: [], durationMs: 1 },
    atMs: 1,
  },
  { node: 2, event: { type: 'dependencyFailed', by: 0 }, atMs: 2 },
  { node: 3, event: { type: 'conditionNotMet', condition: 'false' }, atMs: 3 },
  { node: -1, event: { type: 'nodeFailedForGood', node: 0, error: ERROR }, atMs: 4 },
  { node: -1, event: { type: 'cancelRequested', reason: 'why' }, atMs: 5 },
  { node: 4, event: { type: 'iterationEnded', output: '1', durationMs: 2, nextAtMs: 9 }, atMs: 6 },
  { node: 4, event: { type: 'timedOut', error: ERROR }, atMs: 7 },
  { node: 5, event: { type: 'cacheHit', hash: 'f'.repeat(64) }, atMs: 8 },
  {
    node: -1,
    event: { type: 'migrated', from: 'f', to: 't', added: ['a'], removed: [], changed: ['b'] },
    atMs: 9,
  },
  { node: -1, event: { type: 'mapExpanded', node: 6, run: 0, items: 3, digest: 'a'.repeat(64) }, atMs: 9 },
];
const ROW = {
  leaf: 4,
  attempt: 1,
  run: 0,
  startedAtMs: 1,
  endedAtMs: 2,
  wakeAtMs: 0,
  output: '1',
  artifacts: ['p'],
  error: ERROR,
  condition: 'c',
  wait: null,
  comments: [],
  iteration: null,
  contracts: [],
};
const COMMENTED = {
  ...ROW,
  iteration: { number: 2, output: '1' },
  contracts: [VERDICT],
  comments: [{ text: 't', reviewer: 'r', atMs: 5 }],
};
const JOURNAL = Buffer.from(unseal(KEY, encodeJournalRecord(KEY, { sequence: 0, entries: ENTRIES })));
const CHUNK = Buffer.from(unseal(KEY, encodeChunk(KEY, [ROW, COMMENTED, ROW])));

/** With the right checksum, as a faulty writer would leave them: the decoders themselves are reached. */
function records(random) {
  const isJournal = random() < 0.6;
  const bytes = mutateBytes(isJournal ? JOURNAL : CHUNK, random);
  const sealed = random() < 0.9 ? seal(KEY, bytes) : bytes;
  try {
    if (isJournal) decodeJournalRecord(KEY, sealed);
    else decodeChunk(KEY, sealed);
  } catch (error) {
    assertRefusal(error, `record ${bytes.toString('hex')}`);
  }
}

let exported;
async function makeExport() {
  const { createRuntime, parallelWorkflow } = await import('./internals.mjs');
  const kv = await openKv('memory:');
  const runtime = await createRuntime({ store: kv });
  const workflow = parallelWorkflow(() => ({ execute: () => ({ big: 'x'.repeat(70_000) }) })).build();
  for (const executionId of ['e1', 'e2'])
    await (
      await runtime.start(workflow, { a: 1 }, { executionId })
    ).result;
  const lines = [];
  for await (const line of exportSnapshot(kv)) lines.push(line.endsWith('\n') ? line.slice(0, -1) : line);
  await runtime.close();
  return lines;
}

/** Mutated lines, often with a footer that fits them, so that what lies behind the checksum is reached. */
async function snapshot(random) {
  exported ??= await makeExport();
  const { createHash } = await import('node:crypto');
  let lines = [...exported];
  for (let left = 1 + Math.floor(random() * 2); left > 0; left--) {
    const at = Math.floor(random() * (lines.length - 1));
    const kind = random();
    if (kind < 0.5) lines[at] = JSON.stringify(mutateDocument(JSON.parse(lines[at]), random));
    else if (kind < 0.7) lines[at] = mutateText(lines[at], random).replaceAll('\n', ' ');
    else if (kind < 0.85) lines.splice(at, 1);
    else lines.splice(at, 0, pick(random, exported));
    if (lines.some((line) => !isObject(line))) break;
  }
  if (random() < 0.8 && lines.every(isObject)) lines = refooted(lines, createHash);
  const source = async function* () {
    yield* lines;
  };
  const kv = await openKv('memory:');
  try {
    await verifySnapshot(source);
    await importSnapshot(kv, source);
    // It may hold nonsense that nothing forbids: looking at it must find that out, not fail.
    await verifyStore(kv);
  } catch (error) {
    assertRefusal(error, `export ${JSON.stringify(lines).slice(0, 1000)}`);
  }
}

function isObject(line) {
  try {
    const value = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function refooted(lines, createHash) {
  const body = lines.filter((line) => JSON.parse(line).type !== 'end');
  const count = (type) => body.filter((line) => JSON.parse(line).type === type).length;
  const hashes = new Set(
    body
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'definition')
      .map(({ hash }) => hash),
  );
  const sha256 = createHash('sha256')
    .update(body.map((line) => `${line}\n`).join(''))
    .digest('hex');
  const end = {
    type: 'end',
    executions: count('execution'),
    definitions: hashes.size,
    lines: body.length,
    sha256,
  };
  return [...body, JSON.stringify(end)];
}

let folder;
/** The command line in this process: it ends with an exit code, and never throws or tells of its inside. */
async function commandLine(random) {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'maestro-fuzz-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'spec.yaml'), SPECS[2]);
    writeFileSync(join(folder, 'broken.yaml'), 'workflow: {');
  }
  const args = [pick(random, WORDS.slice(0, 12))];
  for (let left = Math.floor(random() * 5); left > 0; left--) {
    const word = pick(random, WORDS);
    // What it would write must stay in its folder.
    args.push(random() < 0.2 ? mutateText(word, random).replaceAll(/[/\\\0]/g, '') : word);
  }
  let text = '';
  const sink = () =>
    new Writable({ write: (chunk, _encoding, done) => ((text += chunk.toString()), done()) });
  const terminal = {
    stdout: sink(),
    stderr: sink(),
    env: {},
    cwd: folder,
    nowMs: () => Date.now(),
    onInterrupt: () => () => undefined,
    exitNow: (code) => {
      throw new Error(`exitNow(${code})`);
    },
  };
  const code = await runCommandLine(args, terminal);
  const shown = `maestro ${JSON.stringify(args)}: exit code ${code}\n${text.slice(0, 1000)}`;
  if (![0, 1, 2].includes(code)) throw new Error(shown);
  if (/^\s+at .*\.js:\d+/m.test(text) || /INVARIANT|ILLEGAL_TRANSITION/.test(text)) throw new Error(shown);
}

/** Folders of artifacts: whatever a node is called, its folder is directly in that of its execution. */
function paths(random) {
  const id = wordSalad(
    ['..', '.', '/', '\\', 'a', '%2e', '\0', 'é', ':', '~', ' ', 'CON', '\u2024'],
    random,
    6,
  );
  const root = '/artifacts/workflow/execution';
  const inside = resolve(root, safeFolder(id));
  if (id !== '' && resolve(inside, '..') !== root)
    throw new Error(`node ${JSON.stringify(id)} has its folder at ${inside}`);
  if (inside.slice(root.length + 1).includes(sep))
    throw new Error(`node ${JSON.stringify(id)} has a nested folder`);
}

/** With how many of 100 cases each has. */
export const targets = [
  ['spec', 26, spec],
  ['condition', 22, condition],
  ['record', 22, records],
  ['path', 8, paths],
  ['snapshot', 5, snapshot],
  ['command', 5, commandLine],
  ['request', 6, requests],
  ['http', 6, http],
];
