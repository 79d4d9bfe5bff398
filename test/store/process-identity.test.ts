import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { currentProcess, isAlive, startTicks } from '../../src/store/process-identity.js';

const self = currentProcess();
const namespace = self.processStart.slice(self.processStart.lastIndexOf('@'));

describe('the identity of a process', () => {
  test('is stable, and this process is alive', () => {
    expect(currentProcess()).toEqual(self);
    expect(self.pid).toBe(process.pid);
    expect(self.bootId).not.toBe('');
    expect(isAlive(self)).toBe(true);
  });

  test('finds the start in /proc/PID/stat whatever the command is called', () => {
    const rest = 'S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 220642 745713664 10075';
    expect(startTicks(`10279 (node) ${rest}`)).toBe('220642');
    expect(startTicks(`10279 (a) R 1 (b) ) ${rest}`)).toBe('220642');
    expect(startTicks(`10279 (node) Z${rest.slice(1)}`)).toBeUndefined();
  });
});

describe('an owner is dead', () => {
  test('when its process has ended', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    const { pid } = child;
    expect(isAlive({ ...self, pid: pid!, processStart: namespace })).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive({ ...self, pid: pid!, processStart: namespace })).toBe(false);
  });

  test('when its pid belongs to another process by now', () => {
    expect(isAlive({ ...self, processStart: `1${namespace}` })).toBe(false);
  });

  test('when the machine was restarted, or is another one', () => {
    expect(isAlive({ ...self, bootId: 'another' })).toBe(false);
    expect(isAlive({ ...self, bootId: 'another', hostname: 'another' })).toBe(false);
  });

  test('when its container was restarted, but not when it is another container of this machine', () => {
    const elsewhere = { ...self, processStart: '1@pid:[1]' };
    expect(isAlive(elsewhere)).toBe(false);
    expect(isAlive({ ...elsewhere, hostname: 'another' })).toBe(true);
  });

  test('but not merely because the host was renamed', () => {
    expect(isAlive({ ...self, hostname: 'renamed' })).toBe(true);
  });
});
