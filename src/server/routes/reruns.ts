import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { EXECUTION, ID, responses } from '../schemas.js';
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

/** One node of an execution again. */
export function rerunRoutes(app: FastifyInstance, { runtime, draining }: ServiceContext): void {
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
