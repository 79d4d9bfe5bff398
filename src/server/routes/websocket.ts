import websocket, { type WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isMaestroError, MaestroError, toErrorDocument, type ExecutionEvent } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { notFound } from '../errors.js';
import { CLOSE, LiveSocket } from '../live-socket.js';
import { EVENT_ID, ID } from '../schemas.js';
import { WorkflowFeeds } from '../workflow-feed.js';

interface SocketRequest {
  Params: { workflow_id: string };
  Querystring: { execution_id?: string; last_event_id?: string };
}

const MAX_MESSAGE_BYTES = 4096;
const BEARER = 'bearer';

/** `/ws/workflow/{workflow_id}`: the live events of every execution of a workflow, or all events of one execution. */
export async function websocketRoutes(app: FastifyInstance, context: ServiceContext): Promise<void> {
  await app.register(websocket, {
    options: {
      maxPayload: MAX_MESSAGE_BYTES,
      // The token travels as the second subprotocol offered; it is not one to choose.
      handleProtocols: (offered: Set<string>) => (offered.has(BEARER) ? BEARER : false),
    },
    // What breaks the protocol is answered by the library; this closes what else may fail.
    errorHandler: (_, socket) => socket.close(CLOSE.failed),
    // The service ends its streams itself.
    preClose: (done) => done(),
  });
  // Whoever refuses an upgrade, and why: nobody but us closes that connection.
  app.addHook('onResponse', ({ headers, raw }, _, done) => {
    if (headers.upgrade !== undefined) raw.socket.destroySoon();
    done();
  });
  const feeds = new WorkflowFeeds(context.runtime);
  const schema = {
    hide: true,
    params: { type: 'object', required: ['workflow_id'], properties: { workflow_id: ID } },
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { execution_id: ID, last_event_id: EVENT_ID },
      dependencies: { last_event_id: ['execution_id'] },
    },
  };
  app.route<SocketRequest>({
    method: 'GET',
    url: '/ws/workflow/:workflow_id',
    schema,
    exposeHeadRoute: false,
    preHandler: (request) => assertKnown(request, context),
    handler: () => {
      throw new MaestroError('REQUEST_INVALID', 'this is a WebSocket: connect with a client for it');
    },
    wsHandler: (socket, request) => serve(socket, request, context, feeds),
  });
}

/** Before the connection is upgraded, so that the client gets an HTTP status. */
async function assertKnown(
  { params: { workflow_id }, query: { execution_id } }: FastifyRequest<SocketRequest>,
  { runtime, workflows, streams }: ServiceContext,
): Promise<void> {
  streams.assertRoom();
  if (execution_id !== undefined) {
    const definition = await runtime.definition(execution_id);
    if (definition?.workflow.id === workflow_id) return;
    throw new MaestroError(
      'EXECUTION_NOT_FOUND',
      `workflow ${JSON.stringify(workflow_id)} has no execution ${JSON.stringify(execution_id)}`,
    );
  }
  if (workflows.get(workflow_id) !== undefined) return;
  const { records } = await runtime.list({ workflowId: workflow_id, limit: 1 });
  if (records.length === 0)
    throw notFound(`no workflow ${JSON.stringify(workflow_id)} is registered, and none has run`);
}

function serve(
  socket: WebSocket,
  { params: { workflow_id }, query: { execution_id, last_event_id } }: FastifyRequest<SocketRequest>,
  { runtime, streams, logger }: ServiceContext,
  feeds: WorkflowFeeds,
): void {
  const stop = new AbortController();
  const { signal } = stop;
  const live = new LiveSocket(socket, () => {
    leave();
    stop.abort();
  });
  const leave = streams.add(() => live.close(CLOSE.goingAway, 'the service is shutting down'));
  const fail = (error: unknown): void => {
    const { code = 'INTERNAL', message } = toErrorDocument(error);
    logger.warn({ workflow_id, execution_id, error: { code, message } }, 'an event stream ended early');
    live.close(isMaestroError(error) && error.retriable ? CLOSE.tryAgainLater : CLOSE.failed, code);
  };
  if (execution_id === undefined) {
    const part = feeds.join(workflow_id, { send: (text) => live.send(text), fail });
    signal.addEventListener('abort', part);
    return;
  }
  const events = runtime.events(execution_id, { after: last_event_id, follow: true, signal });
  void tell(live, events).then(() => live.close(CLOSE.normal, 'the execution has ended'), fail);
}

/** At the client's pace. */
async function tell(live: LiveSocket, events: AsyncIterable<ExecutionEvent>): Promise<void> {
  for await (const event of events) await live.sendPaced(JSON.stringify(event));
}
