import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { ExecutionEvent } from '../observe/events.js';

/** What an event must be like: a type, or `type node`; or some of its fields, those of `data` too. */
export type ExpectedEvent =
  | string
  | {
      readonly event_type?: string;
      readonly node_id?: string;
      readonly data?: Readonly<Record<string, unknown>>;
    };

/**
 * Asserts that these events happened, in this order; others may have happened in between.
 * @throws AssertionError that names the first one that is missing, and what there was instead
 */
export function assertEvents(events: readonly ExecutionEvent[], expected: readonly ExpectedEvent[]): void {
  let from = 0;
  expected.forEach((each, index) => {
    const found = events.findIndex((event, at) => at >= from && isLike(event, each));
    if (found < 0) {
      const after = index === 0 ? '' : ` after ${textOf(expected[index - 1])}`;
      throw new AssertionError({
        message: `there is no event ${textOf(each)}${after}; there were: ${events.slice(from).map(briefly).join(', ') || 'none'}`,
        actual: events.map(briefly),
        expected: expected.map(textOf),
        operator: 'assertEvents',
      });
    }
    from = found + 1;
  });
}

/** An event in short: `node_completed charge`. */
export function briefly({ event_type, node_id }: ExecutionEvent): string {
  return node_id === undefined ? event_type : `${event_type} ${node_id}`;
}

function isLike(event: ExecutionEvent, expected: ExpectedEvent): boolean {
  if (typeof expected === 'string') return expected === event.event_type || expected === briefly(event);
  const { event_type, node_id, data = {} } = expected;
  return (
    (event_type === undefined || event_type === event.event_type) &&
    (node_id === undefined || node_id === event.node_id) &&
    Object.entries(data).every(([key, value]) => isDeepStrictEqual(event.data[key], value))
  );
}

function textOf(expected: ExpectedEvent): string {
  return typeof expected === 'string' ? `"${expected}"` : JSON.stringify(expected);
}
