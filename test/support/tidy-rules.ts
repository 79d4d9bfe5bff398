import { posix } from 'node:path';
import ts from 'typescript';
import { collectNodes, importsOf, placeOf, rootName, type TidyFile } from './tidy-source.js';

/** Gives the violations among the files, each with its place and what to do. */
export type TidyRule = (files: readonly TidyFile[]) => string[];

/** Names allowed at the top of the repository: those of the design, and the files that tools want there. */
const TOP_LEVEL = new Set([
  ...['src', 'machines', 'test', 'bench', 'docs'],
  ...['package.json', 'package-lock.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
  ...['eslint.config.js', 'vitest.config.ts', 'knip.json'],
]);

/**
 * Imports only point down, and never to another room on the same floor. The design has src/spec on floor 1; it
 * stands half a floor above graph and policy, because it checks what they define.
 */
const FLOORS: Readonly<Record<string, number>> = {
  base: 0,
  machines: 1,
  graph: 1,
  policy: 1,
  spec: 1.5,
  engine: 2,
  store: 3,
  pool: 3,
  observe: 3,
  supervisor: 4,
  snapshot: 4.5,
  runtime: 5,
  simulation: 5.2,
  testing: 5.25,
  bench: 5.3,
  server: 5.5,
  cli: 6,
};
/** These stand outside: they use the public API only, and the command also the front doors of the others. */
const OUTSIDE = new Set(['server', 'bench', 'cli']);
const PUBLIC_API = 'src/runtime/index.ts';
const FRONT_DOORS = new Set([PUBLIC_API, 'src/server/index.ts', 'src/simulation/index.ts', 'bench/index.ts']);

/** Where each library with a place of its own may be imported. */
const LIBRARIES: Readonly<Record<string, RegExp>> = {
  xstate: /^(?:machines|src\/engine)\//,
  lmdb: /^src\/store\/lmdb[^/]*\.ts$|^src\/store\/lmdb\/|^bench\/durable\.ts$/,
  piscina: /^src\/pool\/threads[^/]*\.ts$|^src\/pool\/threads\/|^bench\/yardsticks\.ts$/,
  comlink: /^src\/runtime\/remote\//,
  pino: /^src\/(?:observe|cli)\//,
  'pino-pretty': /^src\/(?:observe|cli)\//,
  'prom-client': /^src\/(?:observe|server)\//,
  fastify: /^src\/server\//,
  '@fastify': /^src\/server\//,
};

const MAX_LINES = 400;
const MEDIAN_LINES = 150;
const DETERMINISTIC = /^(?:machines|src\/(?:graph|policy|spec|engine|supervisor))\//;
/** Entry files of our own threads and child processes: there, the process is theirs. */
const WORKER_ENTRY =
  /^(?:src\/(?:pool|store|runtime\/remote)|bench)\/(?:[^/]+\/)*[^/]*(?:worker|child|entry|probe)[^/]*\.ts$/;

const isShipped = ({ path }: TidyFile): boolean => /^(?:src|machines|bench)\/.*\.ts$/.test(path);
const isTest = ({ path }: TidyFile): boolean => /^test\/.*\.ts$/.test(path);
const isCode = ({ path }: TidyFile): boolean => /^(?:src|machines|test|bench)\/.*\.(?:ts|js|mjs)$/.test(path);
/** Also those of packages that are not published. */
const isLockFile = ({ path }: TidyFile): boolean => /(?:^|\/)package-lock\.json$/.test(path);

function roomOf(path: string): string | undefined {
  const top = /^(?:machines|bench)(?=\/)/.exec(path)?.[0];
  if (top !== undefined) return top;
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function lineCount({ text }: TidyFile): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** Matches of a pattern, as `path:line: advice`. */
function matches(files: readonly TidyFile[], pattern: RegExp, advice: string): string[] {
  return files.flatMap((file) =>
    [...file.text.matchAll(pattern)].map(
      (match) => `${placeOf(file, match.index)}: ${match[0].trim()}: ${advice}`,
    ),
  );
}

export const topLevelNames: TidyRule = (files) => {
  const names = new Set(files.map(({ path }) => path.split('/')[0]));
  return [...names]
    .filter((name) => !TOP_LEVEL.has(name) && !name.startsWith('.') && !/^tsconfig.*\.json$/.test(name))
    .map((name) => `${name}: not a name the design allows at the top: move it into a room, docs or bench`);
};

export const floors: TidyRule = (files) =>
  files.filter(isShipped).flatMap((file) => {
    const room = roomOf(file.path);
    if (room === undefined || !(room in FLOORS)) {
      return [`${file.path}: not in a room of the design: move it, or give its room a floor`];
    }
    return importsOf(file).flatMap(({ specifier, position }) => {
      if (!specifier.startsWith('.')) return [];
      const target = posix.join(posix.dirname(file.path), specifier).replace(/\.js$/, '.ts');
      const advice = floorAdvice(room, target);
      return advice === undefined ? [] : [`${placeOf(file, position)}: imports ${target}: ${advice}`];
    });
  });

function floorAdvice(room: string, target: string): string | undefined {
  const other = roomOf(target);
  if (other === undefined) return 'it is outside of all rooms, so it would not ship: read it at run time';
  if (other === room) return undefined;
  const [from, to] = [FLOORS[room], FLOORS[other]];
  if (to === undefined) return `the room ${other} has no floor: add it to the design first`;
  if (to === from)
    return `${room} and ${other} are on one floor: move what both need down, or compose them above`;
  if (to > from) return `${other} is above ${room}: pass it in from above, or move the type down`;
  if (OUTSIDE.has(room) && other !== 'base' && !FRONT_DOORS.has(target)) {
    return `${room} uses only the public API: import from ${PUBLIC_API} (or src/base)`;
  }
  return undefined;
}

export const libraries: TidyRule = (files) =>
  files.filter(isShipped).flatMap((file) =>
    importsOf(file).flatMap(({ specifier, position }) => {
      const name = specifier.split('/')[0];
      if (!Object.hasOwn(LIBRARIES, name) || LIBRARIES[name].test(file.path)) return [];
      return [
        `${placeOf(file, position)}: imports ${specifier}, which belongs to ${LIBRARIES[name].source}: use the port`,
      ];
    }),
  );

export const fileSizes: TidyRule = (files) =>
  files
    .filter((file) => isCode(file) && lineCount(file) > MAX_LINES)
    .map((file) => `${file.path}: ${lineCount(file)} lines, more than ${MAX_LINES}: split it by concept`);

export const medianSize: TidyRule = (files) => {
  const sizes = files
    .filter(isShipped)
    .map(lineCount)
    .sort((a, b) => a - b);
  const median = sizes[sizes.length >> 1] ?? 0;
  return median > MEDIAN_LINES
    ? [
        `src: the median file of src and machines has ${median} lines, more than ${MEDIAN_LINES}: split the large ones`,
      ]
    : [];
};

export const fileNames: TidyRule = (files) =>
  files
    .filter((file) => isCode(file) && !/^(?:[a-z0-9]+(?:[-.][a-z0-9]+)*\/?)+$/.test(file.path))
    .map(({ path }) => `${path}: names are kebab-case nouns, such as wake-heap.ts: rename it`);

export const injectedClock: TidyRule = (files) =>
  files
    .filter((file) => DETERMINISTIC.test(file.path) && isShipped(file))
    .flatMap((file) =>
      collectNodes(file, (node) => {
        const what = clockUse(node);
        if (what === undefined) return undefined;
        return `${placeOf(file, node.getStart())}: ${what}: take a Clock or a Random (src/base) as a parameter`;
      }),
    );

function clockUse(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const text = node.getText();
    return ['Date.now', 'Math.random', 'performance.now'].includes(text) ? text : undefined;
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length)
    return 'new Date()';
  if (ts.isIdentifier(node) && ['setTimeout', 'setInterval'].includes(node.text)) return node.text;
  return undefined;
}

/** Uses of `process.<name>` in files that do not match `allowed`. */
function processUses(files: readonly TidyFile[], names: string[], allowed: RegExp, advice: string): string[] {
  return files
    .filter((file) => isShipped(file) && !allowed.test(file.path))
    .flatMap((file) =>
      collectNodes(file, (node) => {
        if (!ts.isPropertyAccessExpression(node) || node.expression.getText() !== 'process') return undefined;
        if (!names.includes(node.name.text)) return undefined;
        return `${placeOf(file, node.getStart())}: ${node.getText()}: ${advice}`;
      }),
    );
}

export const processExit: TidyRule = (files) =>
  processUses(
    files,
    ['exit', 'abort', 'reallyExit'],
    /^src\/cli\//,
    'the library never ends its host: throw instead',
  );

export const processHandlers: TidyRule = (files) =>
  processUses(
    files,
    ['on', 'once', 'addListener', 'prependListener'],
    new RegExp(`^src/cli/|${WORKER_ENTRY.source}`),
    'the library installs no global handlers: only the command and our own worker entries do',
  );

export const consoleUse: TidyRule = (files) =>
  files.filter(isShipped).flatMap((file) =>
    collectNodes(file, (node) => {
      if (!ts.isPropertyAccessExpression(node) || node.expression.getText() !== 'console') return undefined;
      return `${placeOf(file, node.getStart())}: ${node.getText()}: use the logger, or the command's own output`;
    }),
  );

/** Written in pieces here and below, so that the rules do not find themselves. */
const UNFINISHED = ['TO' + 'DO', 'FIX' + 'ME'].join('|');

export const unfinishedWork: TidyRule = (files) =>
  matches(
    files.filter((file) => !isLockFile(file)),
    new RegExp(`(?://|/\\*|\\*|#|<!--)[ \\t]*(?:${UNFINISHED})\\b|\\b(?:${UNFINISHED})\\b[ \\t]*[:(]`, 'g'),
    'finish it, or open an issue and take the note away',
  );

const SUITES = new Set(['describe', 'it', 'test', 'suite', 'bench']);

export const focusedTests: TidyRule = (files) =>
  files.filter(isTest).flatMap((file) =>
    collectNodes(file, (node) => {
      const what = focusedOrSkipped(file, node);
      if (what === undefined) return undefined;
      return `${placeOf(file, node.getStart())}: ${what}`;
    }),
  );

function focusedOrSkipped(file: TidyFile, node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node)) return undefined;
  const name = node.name.text;
  const isSuite = SUITES.has(rootName(node.expression) ?? '');
  if (isSuite && name === 'only') return 'only: it hides all other tests: take it away';
  if (isSuite && name === 'todo') return 'a test without a body: write it';
  if (name !== 'skip' || hasComment(file, node.getStart())) return undefined;
  const call = ts.isCallExpression(node.parent) ? node.parent : undefined;
  const bare =
    !isSuite && call?.expression === node && call.arguments.length === 0 && isContext(node.expression);
  return isSuite || bare
    ? 'skip without a reason: say why in a comment on the line above or in the argument of context.skip()'
    : undefined;
}

const isContext = (expression: ts.Expression): boolean =>
  /^(?:ctx|context|task|t)$/.test(expression.getText());

/** Whether the line of a position, or the one above, has a comment. */
function hasComment(file: TidyFile, position: number): boolean {
  const before = file.text.slice(0, position).split('\n');
  const line = before.length - 1;
  const lines = file.text.split('\n');
  return /\/\/\s*\S|\*\//.test(`${lines[line - 1] ?? ''}\n${lines[line]}`);
}

export const machinePaths: TidyRule = (files) =>
  matches(
    files,
    /(?<![\w.~-])\/(?:work|root|home)\/[\w.$-]+/g,
    'a path of one machine: make it relative to the repository or to a temporary folder',
  );

export const registryUrls: TidyRule = (files) =>
  matches(
    files,
    /https?:\/\/[^\s/"'`)]*(?:registry|npmjs\.org|verdaccio|artifactory|nexus)[^\s"'`)]*/gi,
    'a registry is everybody’s own setting: take the address away',
  );

export const lockFile: TidyRule = (files) => {
  if (!files.some(({ path }) => path === 'package-lock.json'))
    return ['package-lock.json: missing: run npm install and commit it'];
  return matches(
    files.filter(isLockFile),
    /"resolved":.*/g,
    'run `npm install --omit-lockfile-registry-resolved` and commit the file',
  );
};

export const readmeCommands: TidyRule = (files) => {
  const readme = files.find(({ path }) => path === 'README.md');
  return ['npm ci && npm start', 'npm ci && npm test']
    .filter((command) => !readme?.text.includes(command))
    .map((command) => `README.md: does not say \`${command}\`: a newcomer needs it`);
};

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

export const dependencyDecisions: TidyRule = (files) => {
  const manifest = JSON.parse(files.find(({ path }) => path === 'package.json')?.text ?? '{}') as Manifest;
  const decisions = files.find(({ path }) => path === 'docs/decisions.md')?.text ?? '';
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter((name) => !decisions.split('\n').some((line) => line.includes(`\`${name}\``)))
    .map((name) => `docs/decisions.md: no line for \`${name}\`: say why this package, or remove it`);
};

const ERROR_CODES = 'src/base/error-codes.ts';

export const usedErrorCodes: TidyRule = (files) => {
  const catalogue = files.find(({ path }) => path === ERROR_CODES);
  const others = files.filter((file) => isShipped(file) && file.path !== ERROR_CODES);
  const codes = [...(catalogue?.text ?? '').matchAll(/^ {2}([A-Z][A-Z_]*): \{/gm)].map(([, code]) => code);
  if (codes.length === 0) return [`${ERROR_CODES}: no codes found: this rule reads "  CODE: {" lines`];
  return codes
    .filter((code) => !others.some(({ text }) => text.includes(`'${code}'`)))
    .map((code) => `${ERROR_CODES}: nothing uses ${code}: throw it where it applies, or remove it`);
};

/** Every rule, under the sentence it enforces. */
export const TIDY_RULES: Readonly<Record<string, TidyRule>> = {
  'the top level holds only what the design names': topLevelNames,
  'imports only point down the floors': floors,
  'libraries stay behind their ports': libraries,
  'no file is over 400 lines': fileSizes,
  'half of the files are under 150 lines': medianSize,
  'names are kebab-case': fileNames,
  'clock and randomness are injected': injectedClock,
  'the library never ends its host': processExit,
  'the library installs no global handlers': processHandlers,
  'nothing is written to the console': consoleUse,
  'nothing is left unfinished': unfinishedWork,
  'no test is focused, or skipped without a reason': focusedTests,
  'no file names a path of one machine': machinePaths,
  'no file names a registry': registryUrls,
  'the lock file names no registry': lockFile,
  'the README says how to start and test': readmeCommands,
  'every dependency is decided upon': dependencyDecisions,
  'every error code is used': usedErrorCodes,
};
