import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { ID, LOG_PAGE, responses } from '../schemas.js';

interface LogQuery {
  node_id?: string;
  attempt?: number;
  stream?: 'stdout' | 'stderr';
  limit: number;
  after?: string;
}

/** What the steps of an execution wrote. */
export function logRoutes(app: FastifyInstance, { runtime }: ServiceContext): void {
  const schema = {
    tags: ['executions'],
    operationId: 'getLogs',
    summary: 'What steps wrote to stdout and stderr, by node and attempt',
    params: { type: 'object', required: ['execution_id'], properties: { execution_id: ID } },
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        node_id: ID,
        attempt: { type: 'integer', minimum: 1 },
        stream: { type: 'string', enum: ['stdout', 'stderr'] },
        limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
        after: { type: 'string', maxLength: 64 },
      },
    },
    response: responses({ 200: LOG_PAGE }),
  } as const;
  app.get<{ Params: { execution_id: string }; Querystring: LogQuery }>(
    '/api/executions/:execution_id/logs',
    { schema },
    async ({ params, query }) => {
      const { node_id, ...filter } = query;
      return runtime.logs(params.execution_id, { ...filter, nodeId: node_id });
    },
  );
}
