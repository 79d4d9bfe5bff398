import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maestro, makeFolder, start, type Started } from './support/maestro.js';
import { until } from './support/runtimes.js';

const CHAIN = `workflow: { id: chain, name: Chain }
nodes:
  - { id: first, name: first, type: custom, run: 'echo first >> ran' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'echo second >> ran; while ! test -e go; do sleep 0.05; done' }
  - { id: third, name: third, type: custom, dependencies: [second], run: 'echo third >> ran' }
`;

interface Body {
  execution_id: string;
  status: string;
  interrupted: boolean;
  completed_nodes: number;
}

let folder: ReturnType<typeof makeFolder>;
const services: Started[] = [];
beforeEach(() => (folder = makeFolder({ 'chain.yaml': CHAIN })));
afterEach(async () => {
  for (const { child, finished } of services.splice(0)) {
    child.kill('SIGKILL');
    await finished;
  }
  folder.remove();
});

async function serve(...args: string[]): Promise<{ service: Started; url: string }> {
  const service = start(['serve', '--port', '0', '--workflows', 'chain.yaml', ...args], { cwd: folder.path });
  services.push(service);
  const [, url] = await service.until(/listening on (http:\/\/\S+)/);
  return { service, url };
}

async function ask(url: string, path: string, body?: object): Promise<Body> {
  const post = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(url + path, body === undefined ? {} : post);
  return (await answer.json()) as Body;
}

const ran = () => {
  const path = join(folder.path, 'ran');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const begin = async (url: string, id: string): Promise<void> => {
  expect((await ask(url, '/api/workflows/chain/execute', { execution_id: id })).status).toBe('running');
  await until(() => ran().includes('second'), 'second runs');
};
const letGo = () => writeFileSync(join(folder.path, 'go'), '');
const completes = (url: string, id: string) =>
  until(async () => (await ask(url, `/api/executions/${id}`)).status === 'completed', `${id} completes`);

describe('shutting down', () => {
  it('lets running nodes finish, ends with 0, and the next start goes on', async () => {
    const { service, url } = await serve();
    await begin(url, 'e1');
    service.child.kill('SIGTERM');
    await service.until(/shutting down/);
    letGo();
    expect((await service.finished).code).toBe(0);
    expect(ran()).toEqual(['first', 'second']);

    const next = await serve();
    await next.service.until(/Resuming workflow execution e1/);
    await completes(next.url, 'e1');
    // What was announced was not run again.
    expect(ran()).toEqual(['first', 'second', 'third']);
  });

  it('ends what does not finish in time; it runs again after the next start', async () => {
    const { service, url } = await serve('--drain', '0.2s', '--grace', '0.2');
    await begin(url, 'e1');
    service.child.kill('SIGTERM');
    expect((await service.finished).code).toBe(0);
    letGo();
    const next = await serve();
    await completes(next.url, 'e1');
    expect(ran()).toEqual(['first', 'second', 'second', 'third']);
  });

  it('ends at once at the second signal', async () => {
    const { service, url } = await serve();
    await begin(url, 'e1');
    service.child.kill('SIGTERM');
    await service.until(/shutting down/);
    service.child.kill('SIGTERM');
    expect((await service.finished).code).toBe(130);
  });

  it('by kill -9 loses nothing that was acknowledged', async () => {
    const { service, url } = await serve();
    await begin(url, 'e1');
    service.child.kill('SIGKILL');
    await service.finished;
    letGo();
    const next = await serve();
    await next.service.until(/Resuming workflow execution e1/);
    await completes(next.url, 'e1');
    expect(ran().filter((name) => name === 'first')).toHaveLength(1);
  });
});

describe('two services on one store', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('hand executions over when one gets %s', async (signal) => {
    const blue = await serve('--drain', '0.2s', '--grace', '0.2');
    const green = await serve();
    await begin(blue.url, 'e1');
    // Either tells the state, and steers.
    expect((await ask(green.url, '/api/executions/e1')).status).toBe('running');
    blue.service.child.kill(signal);
    await blue.service.finished;
    letGo();
    await green.service.until(/Resuming workflow execution e1/);
    await completes(green.url, 'e1');
    expect(ran().filter((name) => name === 'first')).toHaveLength(1);
    expect(ran().filter((name) => name === 'third')).toHaveLength(1);
  });

  it('do not take from each other what runs', async () => {
    const blue = await serve();
    await begin(blue.url, 'e1');
    const green = await serve();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await ask(green.url, '/api/executions/e1')).interrupted).toBe(false);
    letGo();
    await completes(green.url, 'e1');
    expect(ran()).toEqual(['first', 'second', 'third']);
  });
});

describe('starting', () => {
  const run = (...args: string[]) => maestro(['serve', ...args], { cwd: folder.path });

  it('says so when the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const { code, err } = await run('--port', String(port));
    taken.close();
    expect(code).toBe(2);
    expect(err).toMatch(/cannot listen on 127\.0\.0\.1.*EADDRINUSE.*SERVICE_ADDRESS/);
  });

  it.each([
    [['--host', '0.0.0.0'], 2, /SERVICE_INSECURE/],
    [['--port', '70000'], 2, /port/],
    [['--workflows', 'nope.yaml'], 1, /SPEC_NOT_FOUND/],
    [['--tokens', 'nope'], 2, /tokens cannot be read/],
    [['--keep', '3'], 2, /--retention/],
    [['--drain', 'long'], 2, /time span/],
  ])('%j ends with %i and a message', async (args, exit, message) => {
    const { code, out, err } = await run(...args);
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('takes tokens from a file that is not everybody’s', async () => {
    const file = join(folder.path, 'tokens');
    writeFileSync(file, '# ours\nread read-token-0123456789\nwrite write-token-0123456789\n');
    chmodSync(file, 0o644);
    expect((await run('--tokens', 'tokens')).err).toMatch(/everybody on this machine/);
    chmodSync(file, 0o600);
    const { url } = await serve('--tokens', 'tokens');
    const status = async (token: string) =>
      (await fetch(`${url}/api/executions`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status('read-token-0123456789')).toBe(200);
    expect(await status('other-token-0123456789')).toBe(401);
    writeFileSync(file, 'admin x\n');
    expect((await run('--tokens', 'tokens')).err).toMatch(/tokens:1: a line is/);
  });
});
