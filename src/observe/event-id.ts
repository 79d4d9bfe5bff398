import { MaestroError } from '../base/errors.js';

/** Where an event stands in the history of its execution: which journal record it came from, and its place in it. */
export interface EventPosition {
  readonly sequence: number;
  readonly index: number;
}

export function eventId(sequence: number, index: number): string {
  return `${sequence}-${index}`;
}

/** @throws USAGE for what is no event id */
export function parseEventId(text: string): EventPosition {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  if (match === null) {
    throw new MaestroError('USAGE', `${JSON.stringify(text.slice(0, 64))} is no event id`, {
      next: 'Give the `event_id` of an event, such as 12-0.',
    });
  }
  return { sequence: Number(match[1]), index: Number(match[2]) };
}
