import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';

const SERVICE = resolve(import.meta.dirname, '../fixtures/load/service.js');
const SIP_MS = 500;
/** What a client takes of a stream now and then while it is slow. */
const SIP_BYTES = 16 * 1024;
/** What three slow subscribers and everything else may add to the heap of the service, however many events there are. */
const HEAP_MIB = 48;

/** The start of the execution and of its first node. */
const BEFORE_IT_LOOKED = 3;
/** Fewer may all find room in the sockets of the system. */
const JUDGED_FROM = 50_000;

/** What a subscriber was told: how much, and a checksum of the ids in order. */
class Told {
  count = 0;
  hash = createHash('sha256');

  take(id) {
    this.count++;
    this.hash.update(`${id}\n`);
  }

  get summary() {
    return { count: this.count, ids: this.hash.digest('hex') };
  }
}

/** Server-sent events, a little now and then until `isFast`. Resolves after the message `end`. */
async function sse(url, isFast) {
  const response = await new Promise((done, fail) => get(url, done).on('error', fail));
  const told = new Told();
  let [text, taken, hasEnd] = ['', 0, false];
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk;
    const messages = text.split('\n\n');
    text = messages.pop();
    for (const message of messages) {
      if (message.startsWith('event: end')) hasEnd = true;
      const id = /^id: (\S+)$/m.exec(message);
      if (id !== null) told.take(id[1]);
    }
    if ((taken += chunk.length) < SIP_BYTES || isFast()) continue;
    taken = 0;
    await delay(SIP_MS);
  }
  return { ...told.summary, hasEnd };
}

/** A WebSocket, in the same way. @returns how it was closed, too */
async function socket(url, isFast) {
  const client = new WebSocket(url);
  const told = new Told();
  let taken = 0;
  client.on('message', (data) => {
    told.take(JSON.parse(data.toString()).event_id);
    if ((taken += data.length) < SIP_BYTES || isFast()) return;
    taken = 0;
    client.pause();
    setTimeout(() => client.resume(), SIP_MS);
  });
  const code = await new Promise((closed, fail) => client.on('close', closed).on('error', fail));
  return { ...told.summary, code };
}

/** One that follows a whole workflow live and takes nothing until all is over. @returns how it was closed, if it was */
async function deaf(client, isOver) {
  const told = new Told();
  client.on('message', (data) => told.take(JSON.parse(data.toString()).event_id));
  client.pause();
  let code = null;
  client.on('close', (closedWith) => (code = closedWith));
  while (!isOver()) await delay(SIP_MS);
  client.resume();
  // What fitted into the sockets on the way comes now.
  for (let before = -1; code === null && told.count > before; await delay(2 * SIP_MS)) before = told.count;
  client.terminate();
  return { code, count: told.count };
}

function judge(told, { heap }) {
  const problems = [];
  const { stored, library, sse: byStream, socket: bySocket, deaf: byDeaf } = told;
  for (const [name, { count, ids }] of Object.entries({ library, sse: byStream, socket: bySocket }))
    if (ids !== stored.ids)
      problems.push(`${name} was told ${count} events, other ones than the ${stored.count} stored`);
  if (!byStream.hasEnd) problems.push('the stream did not say that it is at its end');
  if (bySocket.code !== 1000) problems.push(`the socket of the execution was closed with ${bySocket.code}`);
  // The loss is told by closing: with a reason when the client can still take it, else it is cut.
  if (byDeaf.count < stored.count - BEFORE_IT_LOOKED && ![1013, 1006].includes(byDeaf.code))
    problems.push(`the deaf socket was closed with ${byDeaf.code}`);
  if (stored.count >= JUDGED_FROM && byDeaf.count >= stored.count)
    problems.push('the deaf socket was told everything: nothing was tried');
  if (heap.peak - heap.first > HEAP_MIB)
    problems.push(`the heap of the service grew from ${heap.first} to ${heap.peak} MiB`);
  return problems;
}

/**
 * One execution tells that many events; four subscribers do not keep up: the library, a stream of server-sent events and a
 * WebSocket of the execution take a little now and then until it has ended, and must then get the rest, all of it, in
 * order; a WebSocket of the whole workflow takes nothing, and must be sent away. The service's memory stays bounded.
 */
export async function events(count, tell) {
  const folder = mkdtempSync(join(tmpdir(), 'maestro-load-'));
  const child = spawn(process.execPath, ['--expose-gc', SERVICE, join(folder, 'store'), String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = {};
  const waiting = new Map();
  const samples = [];
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  child.on('close', (code, signal) => fail(new Error(`the service ended with ${signal ?? code}`)));
  createInterface(child.stdout).on('line', (text) => {
    const line = JSON.parse(text);
    if (line.sample !== undefined) {
      samples.push(line.sample);
      tell(`${Math.round(line.sample.heap_mib)} MiB of heap`);
    }
    Object.assign(said, line);
    for (const key of Object.keys(line)) waiting.get(key)?.();
  });
  const heard = (key) =>
    Promise.race([
      failed,
      said[key] !== undefined ? said[key] : new Promise((done) => waiting.set(key, () => done(said[key]))),
    ]);
  try {
    const url = await heard('url');
    const { execution } = said;
    const isFast = () => said.ended !== undefined;
    const live = `${url.replace('http', 'ws')}/ws/workflow/load`;
    const following = new WebSocket(live);
    await new Promise((open, refused) => following.on('open', open).on('error', refused));
    const subscribers = Promise.all([
      sse(`${url}/api/executions/${execution}/events`, isFast),
      socket(`${live}?execution_id=${execution}`, isFast),
      deaf(following, isFast),
    ]);
    child.stdin.write('go\n');
    const ended = await heard('ended');
    const [library, stored] = [await heard('library'), await heard('stored')];
    const [bySse, bySocket, byDeaf] = await Promise.race([failed, subscribers]);
    const rounded = (figures) => figures.map((figure) => Math.round(figure * 10) / 10);
    const [first, peak] = rounded([
      samples[0].heap_mib,
      Math.max(...samples.map(({ heap_mib }) => heap_mib)),
    ]);
    const [anonFirst, anonPeak] = rounded([
      samples[0].anon_mib,
      Math.max(...samples.map(({ anon_mib }) => anon_mib)),
    ]);
    const told = { library, stored, sse: bySse, socket: bySocket, deaf: byDeaf };
    return {
      events: stored.count,
      told_in_seconds: ended.seconds,
      sips_of_the_library: library.sips,
      told_to_deaf_socket: { events: byDeaf.count, closed_with: byDeaf.code },
      heap_mib: { first, peak },
      anon_mib: { first: anonFirst, peak: anonPeak },
      problems: judge(told, { heap: { first, peak } }),
    };
  } finally {
    failed.catch(() => {});
    child.removeAllListeners('close');
    const gone = new Promise((done) => child.on('close', done));
    child.stdin.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(kill);
    rmSync(folder, { recursive: true, force: true });
  }
}
