import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toErrorDocument, type ExecutionEvent } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { eventStream, within } from '../event-stream.js';
import { EVENT_ID, EVENTS_PAGE, EXECUTION_PARAMS, responses } from '../schemas.js';
import { END_TIMEOUT_MS } from '../streams.js';

interface EventsRequest {
  Params: { execution_id: string };
  Querystring: { last_event_id?: string; limit: number };
  Headers: { accept?: string; 'last-event-id'?: string };
}

/** An answer that is not known to be an error by then begins as a stream. */
const BEGIN_MS = 1000;
const MAX_PAGE_BYTES = 4 * 2 ** 20;

/** The events of an execution: a stream of server-sent events, or pages of JSON. */
export function eventRoutes(app: FastifyInstance, context: ServiceContext): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: {
      last_event_id: {
        ...EVENT_ID,
        description: 'Only events after this one; the header Last-Event-ID wins',
      },
      limit: {
        type: 'integer',
        minimum: 1,
        maximum: 1000,
        default: 100,
        description: 'Events of a page (JSON only)',
      },
    },
  };
  const answer = {
    description:
      'Stored events, then those that come, until the execution has ended; as JSON a page of those stored',
    content: {
      'text/event-stream': { schema: { type: 'string' } },
      'application/json': { schema: EVENTS_PAGE },
    },
  };
  const nothing = { type: 'null', description: 'There are no more, and none will come: do not ask again' };
  const schema = {
    tags: ['executions'],
    operationId: 'getExecutionEvents',
    summary: 'Events of an execution, stored and live',
    params: EXECUTION_PARAMS,
    querystring,
    headers: { type: 'object', properties: { 'last-event-id': EVENT_ID } },
    response: responses({ 200: answer, 204: nothing }),
  };
  app.get<EventsRequest>(
    '/api/executions/:execution_id/events',
    { schema, exposeHeadRoute: false },
    (request, reply) =>
      wantsJson(request.headers.accept) ? page(request, context) : stream(request, reply, context),
  );
}

function wantsJson(accept = ''): boolean {
  return accept.includes('application/json') && !accept.includes('text/event-stream');
}

/** Where the client has been: a reconnecting one says so in the header, its address is still the first one. */
function lastEventId({ headers, query }: FastifyRequest<EventsRequest>): string | undefined {
  return headers['last-event-id'] ?? query.last_event_id;
}

async function page(request: FastifyRequest<EventsRequest>, { runtime }: ServiceContext): Promise<object> {
  const events: ExecutionEvent[] = [];
  const after = lastEventId(request);
  let bytes = 0;
  let more = false;
  for await (const event of runtime.events(request.params.execution_id, { after })) {
    more = events.length === request.query.limit || bytes > MAX_PAGE_BYTES;
    if (more) break;
    events.push(event);
    bytes += JSON.stringify(event.data).length;
  }
  return { events, last_event_id: events.at(-1)?.event_id ?? after ?? null, more };
}

async function stream(
  request: FastifyRequest<EventsRequest>,
  reply: FastifyReply,
  { runtime, streams, logger }: ServiceContext,
): Promise<FastifyReply> {
  streams.assertRoom();
  const stop = new AbortController();
  const { signal } = stop;
  const { raw } = reply;
  const leave = streams.add(() => {
    stop.abort();
    // A client that takes nothing would keep it open.
    setTimeout(() => raw.destroy(), END_TIMEOUT_MS).unref();
  });
  raw.once('close', () => (leave(), stop.abort()));
  const { execution_id } = request.params;
  const after = lastEventId(request);
  const events = runtime.events(execution_id, { after, follow: true, signal })[Symbol.asyncIterator]();
  const first = events.next();
  first.catch(() => {});
  const begun = await within(first, BEGIN_MS);
  if (begun?.done === true && !signal.aborted) return reply.code(204).send();
  const frames = Readable.from(eventStream(events, first, signal), { objectMode: false });
  frames.on('error', (error) => {
    logger.warn({ execution_id, error: toErrorDocument(error) }, 'an event stream ended early');
  });
  return reply
    .headers({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    })
    .send(frames);
}
