import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { EXECUTION, ID, responses, STARTED } from '../schemas.js';
import { assertTakingIn, documentOf, executionBody } from './executions.js';

const PARAMS = {
  type: 'object',
  required: ['execution_id', 'node_id'],
  properties: { execution_id: ID, node_id: ID },
} as const;
const BODY = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    cascade: {
      type: 'boolean',
      default: true,
      description: 'Whether what depends on the node runs again after it',
    },
  },
} as const;

/** One node of an execution again, or a new execution from one of its nodes on. */
export function rerunRoutes(app: FastifyInstance, context: ServiceContext): void {
  rerunRoute(app, context);
  forkRoute(app, context);
}

function rerunRoute(app: FastifyInstance, { runtime, draining }: ServiceContext): void {
  const schema = {
    tags: ['executions'],
    operationId: 'rerunNode',
    summary: 'Run one node again, whichever process runs the execution',
    params: PARAMS,
    body: BODY,
    response: responses({ 202: EXECUTION }),
  };
  app.post<{ Params: { execution_id: string; node_id: string }; Body: { cascade?: boolean } | null }>(
    '/api/executions/:execution_id/nodes/:node_id/rerun',
    { schema },
    async ({ params: { execution_id, node_id }, body }, reply) => {
      assertTakingIn(draining);
      await runtime.rerun(execution_id, node_id, { cascade: body?.cascade });
      reply.code(202);
      return executionBody(await documentOf(runtime, execution_id));
    },
  );
}

const FORK_PARAMS = { type: 'object', required: ['execution_id'], properties: { execution_id: ID } } as const;
const FORK_BODY = {
  type: 'object',
  required: ['from'],
  additionalProperties: false,
  properties: {
    from: { type: 'array', minItems: 1, maxItems: 1000, items: ID, description: 'Nodes to begin from' },
    context: {
      type: 'object',
      additionalProperties: true,
      description: 'Laid over the context of the other one',
    },
    execution_id: ID,
  },
} as const;

interface ForkBody {
  from: string[];
  context?: Record<string, unknown>;
  execution_id?: string;
}

function forkRoute(app: FastifyInstance, { runtime, draining }: ServiceContext): void {
  const schema = {
    tags: ['executions'],
    operationId: 'forkExecution',
    summary: 'Start a new execution that keeps the results before some nodes',
    params: FORK_PARAMS,
    body: FORK_BODY,
    response: responses({ 201: STARTED }),
  };
  app.post<{ Params: { execution_id: string }; Body: ForkBody }>(
    '/api/executions/:execution_id/fork',
    { schema },
    async ({ params, body: { from, context, execution_id } }, reply) => {
      assertTakingIn(draining);
      const forked = await runtime.fork(params.execution_id, { from, context, executionId: execution_id });
      const body = { workflow_id: forked.workflowId, execution_id: forked.id, status: 'running' };
      return reply.code(201).send(body);
    },
  );
}
