import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';
import { executable, listedPath, onePath, quoted } from '../../src/cli/systemd/escape.js';
import { stateDirectory, unitText, type UnitOptions } from '../../src/cli/systemd/unit.js';
import { fakeTerminal } from './support/fake-terminal.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'maestro-systemd-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function systemd(args: string[], env: Record<string, string> = {}) {
  const terminal = fakeTerminal({ env: { HOME: '/srv/ada', ...env }, cwd: '/srv/flows' });
  const code = await runCommandLine(['systemd', ...args], terminal);
  const lines = terminal.out().trimEnd().split('\n');
  /** All values of a setting. */
  const all = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
  return { code, out: terminal.out(), err: terminal.err(), all, lines };
}

/** How systemd reads a line of words (systemd.syntax(7), systemd.unit(5)), for what `quoted` writes. */
function readWords(text: string): string[] {
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"(?: |$)/gsu)];
  expect(words.map(([all]) => all).join('')).toBe(text);
  return words.map(([, word]) => word.replace(/\\(.)/gsu, '$1').replaceAll('%%', '%'));
}

describe('escaping', () => {
  it('quotes spaces, quotes, backslashes and percent signs; a dollar is a dollar', () => {
    expect(quoted('a b')).toBe('"a b"');
    expect(quoted(`say "it's"`)).toBe(`"say \\"it's\\""`);
    expect(quoted('a\\b')).toBe('"a\\\\b"');
    expect(quoted('100%h')).toBe('"100%%h"');
    expect(quoted('$HOME ${HOME} ;')).toBe('"$HOME ${HOME} ;"');
  });

  it('is undone by what systemd does', () => {
    const word = fc
      .string({ unit: fc.constantFrom(...' \t"\'\\%$;{}hé#=a-') })
      .filter((text) => !text.includes('\t'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        expect(readWords(words.map(quoted).join(' '))).toEqual(words);
      }),
    );
  });

  it('refuses what a unit cannot hold', () => {
    for (const text of ['a\nExecStart=/bin/evil', 'a\0', '\u007f'])
      for (const escape of [quoted, onePath, listedPath])
        expect(() => escape(text)).toThrow(/control characters/);
    for (const path of ['/a"b', '/a\\b']) expect(() => listedPath(path)).toThrow(/cannot be given/);
    for (const path of ['/a"b', "/a'b", '/a\\b']) expect(() => executable(path)).toThrow(/cannot be given/);
    for (const path of ['/a ', '/a\\']) expect(() => onePath(path)).toThrow(/cannot be given/);
    expect(onePath('/a b/50%')).toBe('/a b/50%%');
    expect(listedPath('/a b/50%')).toBe('"/a b/50%%"');
  });

  it('knows the folders that systemd makes', () => {
    expect(stateDirectory('/var/lib/maestro')).toBe('maestro');
    for (const path of ['/var/lib', '/var/lib/a/b', '/srv/maestro', '/var/lib/a b', '/var/library'])
      expect(stateDirectory(path)).toBeUndefined();
  });
});

describe('maestro systemd', () => {
  it('passes the options of serve on as they are, with absolute paths', async () => {
    const { code, err, all } = await systemd([
      ...['--store', 'lmdb:/srv/store', '--port', '8001', '--workflows', 'a', '/b c', '--no-retries'],
      ...['--tokens', 'tokens', '--drain', '2m', '--grace', '7', '--log-level', 'info,store=debug'],
    ]);
    expect([code, err]).toEqual([0, '']);
    const words = readWords(all('ExecStart')[0].slice(1));
    expect(words[0]).toBe(process.execPath);
    expect(words[1]).toMatch(/cli\/main\.js$/);
    expect(words.slice(2)).toEqual([
      ...['serve', '--store', 'lmdb:/srv/store', '--log-level=info,store=debug', '--port=8001'],
      ...['--workflows=/srv/flows/a', '--workflows=/b c', '--no-retries', '--tokens=/srv/flows/tokens'],
      ...['--drain=2m', '--grace=7'],
    ]);
    // Longer than drain and grace.
    expect(all('TimeoutStopSec')).toEqual(['142']);
    expect(all('ReadWritePaths')).toEqual(['"/srv/store"']);
    expect(all('WorkingDirectory')).toEqual(['/srv/store']);
  });

  it('has defaults for the machine and for a user', async () => {
    const system = await systemd([]);
    expect(system.all('StateDirectory')).toEqual(['maestro']);
    expect(system.all('User')).toEqual(['maestro']);
    expect(system.all('Environment')).toContain('"MAESTRO_STORE=lmdb:/var/lib/maestro"');
    expect(system.all('EnvironmentFile')).toEqual(['-/etc/default/maestro-dag']);
    const user = await systemd(['--user']);
    expect(user.all('User')).toEqual([]);
    expect(user.all('WantedBy')).toEqual(['default.target']);
    expect(user.all('Environment')).toContain('"MAESTRO_STORE=lmdb:/srv/flows/.maestro"');
    expect(user.all('EnvironmentFile')).toEqual(['-/srv/ada/.config/maestro-dag.env']);
  });

  it('takes the flags of the environment, and leaves secrets out', async () => {
    const env = {
      MAESTRO_ENABLE_DAG_EXECUTION: 'true',
      MAESTRO_STORE: 'memory:',
      MAESTRO_TOKEN_READ: 'very-secret-token',
    };
    const { all, out, err } = await systemd([], env);
    expect(all('Environment')).toEqual(
      expect.arrayContaining(['"MAESTRO_ENABLE_DAG_EXECUTION=true"', '"MAESTRO_STORE=memory:"']),
    );
    expect(out).not.toContain('very-secret-token');
    expect(err).toMatch(/MAESTRO_TOKEN_READ is not written .*\/etc\/default\/maestro-dag/);
  });

  it('keeps /tmp visible when the service needs it', async () => {
    const options: UnitOptions = {
      scope: 'system',
      command: ['/usr/bin/node', '/usr/lib/maestro/main.js', 'serve'],
      workingDirectory: '/var/lib/maestro',
      storePath: '/var/lib/maestro',
      writablePaths: [],
      environment: new Map(),
      environmentFile: '/etc/default/maestro-dag',
      runAs: 'maestro',
      stopMs: 35_000,
    };
    expect(unitText(options)).toContain('\nPrivateTmp=yes\n');
    const command = ['/usr/bin/node', '/tmp/clone/main.js', 'serve'];
    expect(unitText({ ...options, command })).toContain('\nPrivateTmp=no\n');
    for (const args of [
      ['--store', 'lmdb:/tmp/s'],
      ['--workflows', '/tmp/flows'],
      ['--writable', '/var/tmp'],
    ])
      expect((await systemd(args)).all('PrivateTmp')).toEqual(['no']);
  });

  it.each([
    [['--root', '/x'], /go with --install/],
    [['--force'], /go with --install/],
    [['--keep', '3'], /--keep goes with --retention/],
    [['--user', '--run-as', 'ada'], /for system services/],
    [['--run-as', 'a b'], /name of an account/],
    [['--memory-max', '2 GB'], /512M/],
    [['--port', 'x'], /port/],
    [['--workflows', 'a\nb'], /control characters/],
  ])('refuses %j', async (args, message) => {
    const { code, err, out } = await systemd(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
  });
});

describe('maestro systemd --install', () => {
  const install = (...args: string[]) => systemd(['--install', '--root', folder, ...args]);

  it('writes the unit once, overwrites another only by force, and says what to do next', async () => {
    const path = join(folder, 'etc/systemd/system/maestro-dag.service');
    const first = await install();
    expect(first.code).toBe(0);
    expect(first.out).toContain(`installed ${path}`);
    for (const line of [
      'systemctl daemon-reload',
      'systemctl enable --now maestro-dag',
      'systemctl status maestro-dag',
      'journalctl -u maestro-dag -f',
    ])
      expect(first.lines.map((each) => each.trim())).toContain(line);
    const text = readFileSync(path, 'utf8');
    expect(text).toBe((await systemd([])).out);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect((await install()).out).toContain('nothing changed');

    const refused = await install('--port', '8001');
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain('--force');
    expect(readFileSync(path, 'utf8')).toBe(text);
    const forced = await install('--port', '8001', '--force', '--json');
    expect(JSON.parse(forced.out)).toMatchObject({
      unit: 'maestro-dag.service',
      scope: 'system',
      path,
      changed: true,
    });
    expect(readFileSync(path, 'utf8')).toContain('--port=8001');
  });

  it('knows where a user’s units are', async () => {
    const { out } = await install('--user', '--json');
    const document = JSON.parse(out) as { path: string; next: string[] };
    expect(document.path).toBe(join(folder, 'srv/ada/.config/systemd/user/maestro-dag.service'));
    expect(document.next).toContain('systemctl --user enable --now maestro-dag');
  });

  it('says what to do when it cannot write', async () => {
    writeFileSync(join(folder, 'etc'), 'a file');
    const { code, err } = await install();
    expect(code).toBe(2);
    expect(err).toMatch(/cannot write .*maestro-dag\.service/);
    expect(err).toContain('--user');
  });
});
