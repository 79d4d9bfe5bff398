import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { MaestroError } from '../base/errors.js';
import type { EngineEvent } from '../engine/effects.js';
import { WORKFLOW } from '../engine/entries.js';
import type { InboxBody } from '../store/types.js';

/** A request as the engine takes it. */
export function engineRequest(body: InboxBody): EngineEvent {
  if (body.kind === 'answer') return body.answer;
  if (body.kind === 'rerun') return { type: 'rerunRequested', node: body.node, cascade: body.cascade };
  const { kind, reason, compensate } = body;
  return kind === 'cancel' ? { type: 'cancelRequested', reason, compensate } : { type: `${kind}Requested` };
}

/** Whether it is for a node that waits. */
export function isAnswer({ type }: EngineEvent): boolean {
  return type === 'signalReceived' || type === 'reviewDecided' || type === 'reviewCommented';
}

/** What users may send through an actor reference: requests, never facts. @throws USAGE */
export function userEvent(node: number, event: NodeEvent | WorkflowEvent): EngineEvent {
  if (node !== WORKFLOW && event.type === 'cancelRequested') return { type: 'nodeCancelRequested', node };
  if (node === WORKFLOW) {
    if (event.type === 'pauseRequested' || event.type === 'resumeRequested') return { type: event.type };
    if (event.type === 'cancelRequested') return event;
  }
  throw new MaestroError('USAGE', `${event.type} cannot be sent by users`, {
    next: 'Send cancelRequested to nodes; pauseRequested, resumeRequested or cancelRequested to workflows.',
  });
}
