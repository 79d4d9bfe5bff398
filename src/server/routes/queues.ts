import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { responses } from '../schemas.js';

const QUEUES = {
  type: 'object',
  description: 'The queues of this process',
  required: ['queues'],
  properties: {
    queues: {
      type: 'array',
      items: {
        type: 'object',
        required: ['queue', 'size', 'rate', 'from', 'used', 'waiting'],
        properties: {
          queue: { type: 'string' },
          size: { type: ['integer', 'null'], description: 'Slots; null: no limit' },
          rate: { type: ['string', 'null'], description: 'Starts within a time, like 10/s; null: no limit' },
          from: {
            type: 'string',
            enum: ['store', 'process', 'default'],
            description: 'Who says so: it was set for all processes, this one was started so, or nobody',
          },
          used: { type: 'integer', description: 'Slots of attempts under way' },
          waiting: { type: 'integer', description: 'Nodes that could start and wait for it' },
        },
      },
    },
  },
} as const;

/** Limits over all executions that this process runs. */
export function queueRoutes(app: FastifyInstance, { runtime }: ServiceContext): void {
  const schema = {
    tags: ['executions'],
    operationId: 'getQueues',
    summary: 'Queues: slots, how many are taken, and who waits',
    response: responses({ 200: QUEUES }),
  };
  app.get('/api/queues', { schema }, async () => {
    const { queues } = await runtime.metrics();
    return { queues: queues.map((each) => ({ ...each, size: each.size === Infinity ? null : each.size })) };
  });
}
