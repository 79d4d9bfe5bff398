import type { NodeLogDocument } from '../../runtime/index.js';

/** A line that a step wrote, or, with `cutChars`, what is missing at this place. */
export interface LogLine {
  readonly node_id: string;
  readonly attempt: number;
  readonly run: number;
  readonly stream: 'stdout' | 'stderr';
  readonly time: string;
  readonly text: string;
  readonly cut_chars?: number;
}

interface Reading {
  /** Characters of the attempt that were turned into lines, or are in `open`. */
  seen: number;
  /** Text of each stream since its last end of line. */
  readonly open: Record<'stdout' | 'stderr', string>;
  last: Omit<LogLine, 'text' | 'stream'> | undefined;
}

/** Turns logs of attempts, read again and again while they grow, into lines, each once. */
export class LogLines {
  readonly #readings = new Map<string, Reading>();

  /**
   * The lines that are new in a log: those whose end was written, and a last one without an end when nothing was
   * added to it since it was read before, or it is `final`.
   */
  *take(log: NodeLogDocument, final: boolean): Generator<LogLine> {
    const { node_id, attempt, run, began_at, entries, written_chars } = log;
    const key = [node_id, run, attempt, began_at].join('/');
    const reading = this.#readings.get(key) ?? { seen: 0, open: { stdout: '', stderr: '' }, last: undefined };
    if (!final) this.#readings.set(key, reading);
    const isStill = reading.seen === written_chars;
    for (const { stream, time, offset, text } of entries) {
      const end = offset + text.length;
      if (end <= reading.seen) continue;
      if (offset > reading.seen) {
        yield* rest(reading);
        yield { node_id, attempt, run, time, stream, text: '', cut_chars: offset - reading.seen };
      }
      const place = { node_id, attempt, run, time };
      const lines = (reading.open[stream] + text.slice(Math.max(0, reading.seen - offset))).split('\n');
      reading.last = place;
      reading.seen = end;
      reading.open[stream] = lines.pop()!;
      for (const line of lines) yield { ...place, stream, text: line };
    }
    if (isStill || final) yield* rest(reading);
  }
}

function* rest({ open, last }: Reading): Generator<LogLine> {
  for (const stream of ['stdout', 'stderr'] as const) {
    const text = open[stream];
    open[stream] = '';
    if (text !== '' && last !== undefined) yield { ...last, stream, text };
  }
}
