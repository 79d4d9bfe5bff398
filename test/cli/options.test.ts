import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  parseContext,
  parseCount,
  parseNonNegative,
  parseRestarts,
  parseSince,
} from '../../src/cli/options.js';
import { noticesFor } from '../../src/cli/run-settings.js';
import { locateStore } from '../../src/cli/store-location.js';
import { compilePlan } from '../../src/graph/index.js';
import { workflowFromSpec } from '../../src/spec/index.js';

describe('numbers', () => {
  it.each(['0', '-1', '1.5', 'x', '', '1e3', '99999999999999999999'])('refuses %j as a count', (text) => {
    expect(() => parseCount(text)).toThrow(/whole number/);
  });
  it('takes counts', () => expect(parseCount('12')).toBe(12));
  it.each(['-1', 'x', '', ' ', 'Infinity'])('refuses %j as a factor', (text) => {
    expect(() => parseNonNegative(text)).toThrow(/at least 0/);
  });
  it('takes factors', () => expect([parseNonNegative('0'), parseNonNegative('0.25')]).toEqual([0, 0.25]));
});

describe('parseRestarts', () => {
  it('takes a number and seconds', () => {
    expect(parseRestarts('100/60')).toEqual({ maxRestarts: 100, withinMs: 60_000 });
    expect(parseRestarts('0/0.5')).toEqual({ maxRestarts: 0, withinMs: 500 });
  });
  it.each(['', '5', '/60', '5/', '5/0', '-1/60', '1.5/60', '5/x', '5/60/2'])('refuses %j', (text) => {
    expect(() => parseRestarts(text)).toThrow(/such as 100\/60/);
  });
});

describe('parseSince', () => {
  it('takes spans and dates', () => {
    expect(parseSince('30m', 1e12)).toBe(1e12 - 1_800_000);
    expect(parseSince('1.5h', 1e12)).toBe(1e12 - 5_400_000);
    expect(parseSince('2026-01-31T00:00:00Z', 0)).toBe(Date.UTC(2026, 0, 31));
  });
  it.each(['', 'yesterday', '5', '5w', '2026-99-99'])('refuses %j', (text) => {
    expect(() => parseSince(text, 0)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('parseContext', () => {
  it('takes an object, also from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cli-'));
    writeFileSync(join(folder, 'c.json'), '{"b": 2}');
    expect(parseContext('{"a": 1}', '/')).toEqual({ a: 1 });
    expect(parseContext('@c.json', folder)).toEqual({ b: 2 });
    rmSync(folder, { recursive: true });
  });
  it.each([
    ['{', /--context is not JSON/],
    ['[1]', /not an array/],
    ['null', /not null/],
    ['5', /not a number/],
    ['@missing.json', /cannot be read.*missing\.json/],
  ])('refuses %s', (text, message) => {
    expect(() => parseContext(text, '/nowhere')).toThrow(
      expect.objectContaining({ code: 'CONTEXT_INVALID', message: expect.stringMatching(message) as string }),
    );
  });
});

describe('locateStore', () => {
  it('prefers the option, then the variable, then the default', () => {
    expect(locateStore('lmdb:a', { MAESTRO_STORE: 'lmdb:b' }, '/w')).toEqual({
      url: 'lmdb:/w/a',
      path: '/w/a',
      args: ['--store', 'lmdb:a'],
    });
    expect(locateStore(undefined, { MAESTRO_STORE: 'lmdb:/b' }, '/w')).toMatchObject({
      path: '/b',
      args: [],
    });
    expect(locateStore(undefined, { MAESTRO_STORE: '' }, '/w')).toMatchObject({
      path: '/w/.maestro',
      args: [],
    });
    expect(locateStore('memory:', {}, '/w')).toMatchObject({ url: 'memory:', path: null });
  });
  it.each(['', 'lmdb:', 'redis:x', '/path'])('refuses %j', (text) => {
    expect(() => locateStore(text, {}, '/w')).toThrow(
      expect.objectContaining({ code: 'USAGE', exitCode: 2 }),
    );
  });
});

describe('noticesFor', () => {
  const workflow = workflowFromSpec({
    workflow: { id: 'w', name: 'w' },
    nodes: [
      { id: 'a', name: 'a', type: 'custom', run: 'true', retry_policy: { max_attempts: 3 } },
      { id: 'b', name: 'b', type: 'custom', run: 'true' },
    ],
  });
  const plan = compilePlan([
    { id: 'a', dependencies: [] },
    { id: 'b', dependencies: [] },
  ]);

  it('says when flags keep retries, parallelism or the store off', () => {
    const settings = { mode: 'linear', retries: false, events: true, persistent: false } as const;
    const notices = noticesFor(settings, { storeGiven: false }, workflow, plan);
    expect(notices.map((notice) => /PERSISTENCE|--retries|--mode/.exec(notice)?.[0])).toEqual([
      'PERSISTENCE',
      '--retries',
      '--mode',
    ]);
  });

  it('is silent about what was chosen', () => {
    const settings = { mode: 'linear', retries: false, events: true, persistent: true } as const;
    expect(
      noticesFor(settings, { storeGiven: false, mode: 'linear', retries: false }, workflow, plan),
    ).toEqual([]);
  });
});
