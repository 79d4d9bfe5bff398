import { createRequire, syncBuiltinESMExports } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { briefly, scenarios } from './scenarios.mjs';

/*
 * Writes a golden store with a build of the release whose format it is:
 *
 *   node test/golden/generate.mjs FORMAT PACKAGE      PACKAGE: a folder that holds the `dist` of that release
 *
 * `vN.store.gz` is every key and value, as lines of JSON; `vN.export.gz` the same executions as an export; `vN.json` the
 * documents as that release showed them. None of them is ever overwritten: what a release has written stays.
 */

const [format, folder] = [Number(process.argv[2]), process.argv[3]];
if (!(format >= 1) || folder === undefined) throw new Error('usage: generate.mjs FORMAT PACKAGE');
// Leases name the machine: no name of ours belongs into the repository.
const os = createRequire(import.meta.url)('node:os');
os.hostname = () => 'golden';
syncBuiltinESMExports();
// Nor does any of our folders, which stacks name.
Error.stackTraceLimit = 0;
process.chdir('/');
const release = await import(pathToFileURL(join(resolve('/', folder), 'dist/src/runtime/index.js')).href);
const { createRuntime, defineWorkflow, openKv, exportSnapshot } = release;

const { abandoned, atRest, holding, pending, all } = scenarios(defineWorkflow, format, true);
const workflows = all.map(({ workflow }) => workflow);
const options = { workflows, artifactRoot: '/tmp/golden-artifacts', maxActiveExecutions: holding.length };

async function rowsOf(kv) {
  const rows = [];
  for await (const { key, value } of kv.scan({ start: ' ', end: '~' }))
    rows.push({ key, value: Buffer.from(value).toString('base64') });
  return rows;
}

/** The store as a process that is killed now leaves it: what runs goes on in the old one, which nobody looks at. */
async function afterKill(kv) {
  const next = await openKv('memory:');
  const rows = await rowsOf(kv);
  await next.commit(rows.map(({ key, value }) => ({ op: 'put', key, value: Buffer.from(value, 'base64') })));
  return next;
}

let kv = await openKv('memory:');
await abandoned.write(await createRuntime({ ...options, store: kv }));
kv = await afterKill(kv);
const tidy = await createRuntime({ ...options, store: kv, recover: false });
// Both runtimes are of this process, which lives: only a lease that is gone is nobody's.
await kv.commit(
  (await rowsOf(kv)).filter(({ key }) => key.startsWith('p/')).map(({ key }) => ({ op: 'del', key })),
);
await tidy.markStale({ olderThanMs: 0 });

const writer = await createRuntime({ ...options, store: kv, recover: false });
for (const each of [...atRest, ...holding, pending]) await each.write(writer, each);
kv = await afterKill(kv);
await kv.commit(
  (await rowsOf(kv)).filter(({ key }) => key.startsWith('p/')).map(({ key }) => ({ op: 'del', key })),
);
// A second life, killed too: what was interrupted has been recovered, and is interrupted again.
await createRuntime({ ...options, store: kv });
await new Promise((done) => setTimeout(done, 300));
kv = await afterKill(kv);

const reader = await createRuntime({ ...options, store: kv, recover: false });
const documents = {};
for (const { id } of all) documents[id] = briefly(await reader.get(id));
const exported = [];
for await (const line of exportSnapshot(kv)) exported.push(line);
const write = (name, content) => writeFileSync(join(import.meta.dirname, name), content, { flag: 'wx' });
const lines = (await rowsOf(kv)).map((row) => `${JSON.stringify(row)}\n`).join('');
write(`v${format}.store.gz`, gzipSync(lines, { level: 9 }));
write(`v${format}.export.gz`, gzipSync(exported.join(''), { level: 9 }));
write(`v${format}.json`, `${JSON.stringify(documents, null, 2)}\n`);
console.log(`${all.length} executions, ${lines.split('\n').length - 1} rows`);
process.exit(0);
