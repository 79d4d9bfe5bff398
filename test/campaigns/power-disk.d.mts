import type { Call } from './power-trace.mjs';

export type Files = ReadonlyMap<string, Buffer | null>;
export class Disk {
  constructor(files: Files, calls: readonly Call[]);
  readonly moments: readonly number[];
  readonly seen: Files;
  after(
    moment: number,
    how: { random: () => number; luck: number; lies?: (path: string) => boolean },
  ): Map<string, Buffer | null>;
}
