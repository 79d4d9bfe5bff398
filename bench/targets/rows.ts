import { makespanRow } from './makespan-row.js';
import type { Meter } from './meter.js';
import { rateRows } from './rate-rows.js';
import { recoveryRows } from './recovery-rows.js';
import { sizeRows } from './size-rows.js';
import { taskRows } from './task-rows.js';
import type { Check } from './types.js';

/** One line of the table of targets. */
export interface Row {
  /** What it is chosen by. */
  readonly row: string;
  readonly work: string;
  readonly durability: 'sync' | 'async' | 'none';
  /** A reason not to measure it here. */
  readonly skip?: () => string | undefined;
  measure(meter: Meter): Promise<{ checks: readonly Check[]; notes?: readonly string[] }>;
}

export const ROWS: readonly Row[] = [...rateRows, ...sizeRows, ...recoveryRows, ...taskRows, makespanRow];
