import { once } from 'node:events';
import { WebSocket } from 'ws';
import { createRuntime, createService, defineWorkflow } from './internals.mjs';
import { assertRefusal } from './fuzz-refusal.mjs';
import { mutateDocument, mutateText, NASTY, pick } from './fuzz-mutations.mjs';

/* What is fuzzed of a runtime that runs, and of the service over it: answers, requests, bodies, headers, messages. */

/** After so many cases there is a new one: what they leave behind stays small. */
const CASES_EACH = 300;

const waits = defineWorkflow({ id: 'w' })
  .node('a', { execute: () => ({ a: 1 }) })
  .node('paid', { waitFor: { signal: 's', schema: { type: 'object' } } })
  .node('ok', { review: { responseSchema: { type: 'object', required: ['n'] } } })
  .node('z', { dependsOn: ['a', 'paid', 'ok'], execute: () => null })
  .build();
const quick = defineWorkflow({ id: 'q' })
  .node('a', { execute: () => ({ a: 1 }) })
  .node('b', { dependsOn: ['a'], execute: () => 2 })
  .build();

let running;
let cases = 0;

/** A runtime with an execution that waits (`e1`) and one that has ended (`e2`), and a service. */
async function subject() {
  if (++cases % CASES_EACH === 0) await endRunning();
  if (running !== undefined) return running;
  const runtime = await createRuntime({ store: 'memory:', workflows: [waits, quick] });
  await runtime.start(waits, {}, { executionId: 'e1' });
  await (
    await runtime.start(quick, {}, { executionId: 'e2' })
  ).result;
  const nothing = () => {};
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const service = await createService({ port: 0, runtime, workflows: [waits, quick], logger, version: '0' });
  return (running = { runtime, service });
}

/** Names that there are, mostly; those that lead in are what this is about. */
const NAMES = ['a', 'paid', 'ok', 'z', 'b', 's'];
const WORDS = ['e1', 'e2', 'w', 'q', '0-0', '1-3', '9999-0', '-1', '', ...NASTY];
const IDS = ['e1', 'e1', 'e2', 'e2', 'x', '__proto__'];
const VALUES = [{ n: 1 }, { n: 1, text: 'x' }, { deep: [{ a: [1, null, 'x'] }] }];

function word(random) {
  if (random() < 0.6) return pick(random, NAMES);
  return random() < 0.2 ? mutateText(pick(random, NAMES), random) : pick(random, WORDS);
}

const value = (random) =>
  random() < 0.3 ? pick(random, NASTY) : mutateDocument(pick(random, VALUES), random);
const maybe = (random, make) => (random() < 0.5 ? undefined : make(random));

/** Lets go of what would keep the thread alive. */
export async function endRunning() {
  await running?.service.close();
  await running?.runtime.close({ drainMs: 0 });
  running = undefined;
}

async function read(events) {
  for await (const _ of events);
}

/** The requests of the library, by what they are given: the types fit, the rest does not. */
const REQUESTS = {
  signal: (runtime, id, r) => runtime.signal(id, word(r), value(r), { signalId: maybe(r, word) }),
  review: (runtime, id, r) => {
    const decision = maybe(r, (random) => pick(random, ['approve', 'reject']));
    const said = { comment: maybe(r, word), reviewer: maybe(r, word) };
    return runtime.review(id, word(r), { decision, response: maybe(r, value), ...said });
  },
  rerun: (runtime, id, r) => runtime.rerun(id, word(r), { cascade: r() < 0.5 }),
  fork: (runtime, id, r) => {
    const from = Array.from({ length: Math.floor(r() * 3) }, () => word(r));
    const context = maybe(r, (random) => mutateDocument(pick(random, VALUES), random));
    return runtime.fork(id, { from, context, executionId: maybe(r, word) });
  },
  replay: (runtime, id, r) => runtime.replay(id, pick(r, [0, -1, 1e9, 0.5, NaN, new Date(NaN), new Date(0)])),
  events: (runtime, id, r) => read(runtime.events(id, { after: word(r) })),
  logs: (runtime, id, r) => runtime.logs(id, { nodeId: maybe(r, word), after: maybe(r, word) }),
};

export async function requests(random) {
  const { runtime } = await subject();
  const [name, request] = pick(random, Object.entries(REQUESTS));
  const id = pick(random, IDS);
  try {
    await request(runtime, id, random);
  } catch (error) {
    assertRefusal(error, `${name} of ${id}`);
  }
}

const ROUTES = [
  ['POST', '/api/executions/ID/signals', { signal: 's', payload: { n: 1 }, signal_id: 'x' }],
  ['POST', '/api/executions/ID/nodes/NODE/review', { decision: 'approve', response: { n: 1 }, comment: 'c' }],
  ['POST', '/api/executions/ID/nodes/NODE/rerun', { cascade: true }],
  ['POST', '/api/executions/ID/fork', { from: ['a'], context: {}, execution_id: 'f' }],
  ['POST', '/api/executions/ID/migrate', { dry_run: false }],
  ['POST', '/api/workflows/w/execute', { context: { a: 1 }, execution_id: 'n' }],
  ['POST', '/api/workflows', { mode: 'dag_parallel', context: {} }],
  ['POST', '/api/executions/ID/pause', {}],
  ['POST', '/api/executions/ID/resume', {}],
  ['POST', '/api/executions/ID/retry', {}],
  ['GET', '/api/executions?limit=WORD&status=WORD&after=WORD', undefined],
  ['GET', '/api/reviews?execution_id=ID&limit=WORD', undefined],
  ['GET', '/api/executions/ID/logs?after=WORD&attempt=WORD', undefined],
  ['GET', '/api/executions/e2/events?after=WORD', undefined],
  ['GET', '/api/executions/ID/nodes/NODE', undefined],
  ['GET', '/api/workflows/WORD', undefined],
  ['DELETE', '/api/executions/WORD', undefined],
];

/** Bodies, paths, queries and headers over HTTP; now and then messages to the live socket. */
export async function http(random) {
  const { service } = await subject();
  if (random() < 0.1) return messages(running, random);
  const [method, path, good] = pick(random, ROUTES);
  const url = path
    .replaceAll(/ID|NODE|WORD/g, (what) => (what === 'ID' ? pick(random, IDS) : word(random).toWellFormed()))
    .replaceAll(/[^/?&=]+/g, (part) => encodeURIComponent(part));
  const headers = { accept: random() < 0.5 ? 'text/event-stream' : 'application/json' };
  if (random() < 0.5) headers['last-event-id'] = word(random).replaceAll(/[^\x20-\x7e]/g, '?');
  let payload;
  if (good !== undefined) {
    payload = JSON.stringify(random() < 0.2 ? value(random) : mutateDocument(good, random));
    if (random() < 0.3) payload = mutateText(payload, random);
    headers['content-type'] = random() < 0.9 ? 'application/json' : 'text/plain';
  }
  const { statusCode, body } = await service.app.inject({ method, url, headers, payload });
  const shown = `${method} ${url} ${String(payload).slice(0, 500)}: ${statusCode} ${body.slice(0, 500)}`;
  if (statusCode >= 500 || /^\s+at .*\.js:\d+/m.test(body) || body.includes('INVARIANT'))
    throw new Error(shown);
}

/** Whatever a client sends, the service lives on. */
async function messages(subject, random) {
  subject.url ??= await subject.service.listen();
  const target = pick(random, ['/ws/workflow/w', '/ws/workflow/w?execution_id=e1', '/ws/workflow/q']);
  const socket = new WebSocket(new URL(target, subject.url.replace(/^http/, 'ws')));
  await once(socket, 'open');
  socket.on('error', () => {});
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
    const text = mutateText(JSON.stringify(value(random)), random);
    socket.send(random() < 0.5 ? text : Buffer.from(text));
  }
  socket.ping();
  // Answered, or refused: both come after what was sent.
  await Promise.race([once(socket, 'pong'), once(socket, 'close')]);
  socket.terminate();
  const { statusCode } = await subject.service.app.inject('/health/live');
  if (statusCode !== 200) throw new Error(`not live after messages to ${target}`);
}
