import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { Disk, type Files } from './power-disk.mjs';
import type { Call } from './power-trace.mjs';

const FILE = '/d/file';
const OLD: Files = new Map([
  ['/d', null],
  [FILE, Buffer.from('old-old-')],
]);

/** Calls one after the other, each over before the next; or those that say otherwise. */
function inTurn(...calls: readonly Partial<Call>[]): Call[] {
  return calls.map((call, k) => ({ path: FILE, descriptor: '3', begin: 2 * k, end: 2 * k, ...call }) as Call);
}

const opened = (...flags: string[]): Partial<Call> => ({ kind: 'open', flags: new Set(flags) });
const written = (text: string, at?: number): Partial<Call> => ({
  kind: 'write',
  data: Buffer.from(text),
  at,
});
const synced: Partial<Call> = { kind: 'sync' };
const folderSynced: Partial<Call> = { kind: 'sync', path: '/d' };

function after(calls: readonly Call[], luck: number, path = FILE, moment = Infinity): string | undefined {
  const files = new Disk(OLD, calls).after(moment, { random: () => 0.5, luck });
  return files.get(path)?.toString();
}

describe('what a power cut leaves', () => {
  it('is what was synced, and of the rest what luck has it', () => {
    const calls = inTurn(opened(), written('new', 0), synced, written('x', 7));
    expect([after(calls, 0), after(calls, 1)]).toEqual(['new-old-', 'new-oldx']);
  });

  it('is not what a sync that was not over, or that began too early, should have written', () => {
    const cut = inTurn(opened(), written('new', 0), { ...synced, begin: 4, end: 9 });
    expect([after(cut, 0, FILE, 8), after(cut, 0, FILE, 9)]).toEqual(['old-old-', 'new-old-']);
    const late = inTurn(
      opened(),
      { ...written('new', 0), begin: 2, end: 6 },
      { ...synced, begin: 4, end: 8 },
    );
    expect(after(late, 0)).toBe('old-old-');
  });

  it('is what was written through, as soon as that is over', () => {
    const calls = inTurn(opened('O_RDWR', 'O_DSYNC'), { ...written('new', 4), begin: 2, end: 5 });
    expect([after(calls, 0, FILE, 4), after(calls, 0, FILE, 5)]).toEqual(['old-old-', 'old-new-']);
  });

  it('may be any of the sectors of one write', () => {
    const calls = inTurn(opened(), written('n'.repeat(2048), 0));
    const disk = new Disk(new Map([[FILE, Buffer.alloc(2048, 'o')]]), calls);
    const random = seededRandom(1);
    const seen = new Set(
      Array.from({ length: 200 }, () =>
        disk
          .after(9, { random, luck: 0.5 })
          .get(FILE)!
          .toString()
          .replace(/(.)\1{511}/g, '$1'),
      ),
    );
    expect(seen.size).toBe(16);
  });

  it('has a later write that is there over an earlier one that is, too', () => {
    const calls = inTurn(opened(), written('aaa', 0), written('b', 1), synced);
    expect(after(calls, 0)).toBe('aba-old-');
  });

  it('has names that were synced with their folder, and of the others the first so many', () => {
    const [a, b] = ['/d/a', '/d/b'].map((path) => ({ ...opened('O_CREAT'), path }));
    const calls = inTurn(a, folderSynced, b, { kind: 'rename', path: '/d/a', to: '/d/c' });
    const disk = new Disk(OLD, calls);
    const names = (random: number): string[] =>
      [...disk.after(9, { random: () => random, luck: 0 }).keys()].slice(2).sort();
    expect([0, 0.5, 0.9].map(names)).toEqual([['/d/a'], ['/d/a', '/d/b'], ['/d/b', '/d/c']]);
  });

  it('moves, links and removes files with what is in them', () => {
    const calls = inTurn(
      ...[
        opened('O_TRUNC'),
        written('one'),
        written('two'),
        { kind: 'seek', at: 1 } as const,
        written('N'),
        synced,
      ],
      ...[{ kind: 'link', to: '/d/link' } as const, { kind: 'rename', to: '/d/new' } as const],
      ...[{ kind: 'unlink', path: '/d/link' } as const, folderSynced],
    );
    const disk = new Disk(OLD, calls);
    const all = [...disk.after(Infinity, { random: () => 0, luck: 0 })];
    expect(all).toEqual([
      ['/d', null],
      ['/d/new', Buffer.from('oNetwo')],
    ]);
    expect([...disk.seen]).toEqual(all);
  });

  it('is less on a disk that lies', () => {
    const disk = new Disk(OLD, inTurn(opened(), written('new', 0), synced));
    const how = { random: () => 0, luck: 0 };
    expect(
      disk
        .after(9, { ...how, lies: () => true })
        .get(FILE)
        ?.toString(),
    ).toBe('old-old-');
    expect(disk.after(9, how).get(FILE)?.toString()).toBe('new-old-');
  });
});
