import type { FastifyInstance } from 'fastify';
import type { ReviewInput } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { ID, NODE_STATE, responses, REVIEWS, SIGNALLED } from '../schemas.js';
import { documentOf } from './executions.js';

const tags = ['executions'];
const TEXT = { type: 'string', minLength: 1 } as const;

interface ReviewQuery {
  execution_id?: string;
  limit: number;
  after?: string;
}

interface SignalBody {
  name: string;
  payload?: unknown;
  signal_id?: string;
}

/** Telling nodes that wait what they wait for, and looking at what waits for a person. */
export function answerRoutes(app: FastifyInstance, context: ServiceContext): void {
  reviewsRoute(app, context);
  reviewRoute(app, context);
  signalRoute(app, context);
}

function reviewsRoute(app: FastifyInstance, { runtime }: ServiceContext): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: {
      execution_id: ID,
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
      after: { type: 'string', maxLength: 1024 },
    },
  };
  const schema = {
    tags,
    operationId: 'listReviews',
    summary: 'Open reviews, those of the oldest executions first',
    querystring,
    response: responses({ 200: REVIEWS }),
  };
  app.get<{ Querystring: ReviewQuery }>('/api/reviews', { schema }, async ({ query }) =>
    runtime.reviews({ executionId: query.execution_id, limit: query.limit, after: query.after }),
  );
}

function reviewRoute(app: FastifyInstance, { runtime }: ServiceContext): void {
  const schema = {
    tags,
    operationId: 'reviewNode',
    summary: 'Decide an open review, or without a decision comment on it',
    params: {
      type: 'object',
      required: ['execution_id', 'node_id'],
      properties: { execution_id: ID, node_id: ID },
    },
    body: {
      type: 'object',
      additionalProperties: false,
      properties: {
        decision: { type: 'string', enum: ['approve', 'reject'] },
        response: { description: 'Must fit the response_schema of the review' },
        comment: { ...TEXT, maxLength: 10_000 },
        reviewer: { ...TEXT, maxLength: 255 },
      },
    },
    response: responses({ 202: NODE_STATE }),
  };
  app.post<{ Params: { execution_id: string; node_id: string }; Body: ReviewInput }>(
    '/api/executions/:execution_id/nodes/:node_id/review',
    { schema },
    async ({ params: { execution_id, node_id }, body }, reply) => {
      await runtime.review(execution_id, node_id, body);
      const { node_states } = await documentOf(runtime, execution_id);
      reply.code(202);
      return node_states[node_id];
    },
  );
}

function signalRoute(app: FastifyInstance, { runtime }: ServiceContext): void {
  const schema = {
    tags,
    operationId: 'signalExecution',
    summary: 'Send a signal that a node waits for, or will',
    params: { type: 'object', required: ['execution_id'], properties: { execution_id: ID } },
    body: {
      type: 'object',
      required: ['name'],
      additionalProperties: false,
      properties: {
        name: { ...TEXT, maxLength: 255 },
        payload: { description: 'The output of the node that takes it; default null' },
        signal_id: { ...TEXT, maxLength: 255, description: 'Sent again with this id, it arrives once' },
      },
    },
    response: responses({ 202: SIGNALLED }),
  };
  app.post<{ Params: { execution_id: string }; Body: SignalBody }>(
    '/api/executions/:execution_id/signals',
    { schema },
    async ({ params: { execution_id }, body: { name, payload, signal_id } }, reply) => {
      await runtime.signal(execution_id, name, payload, { signalId: signal_id });
      reply.code(202);
      return { execution_id, name, signal_id: signal_id ?? null };
    },
  );
}
