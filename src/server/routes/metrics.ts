import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { responses } from '../schemas.js';

/** `/metrics`, in Prometheus' text format. It tells of workloads, so it needs the scope of reading. */
export function metricsRoutes(app: FastifyInstance, { metrics }: ServiceContext): void {
  const success = {
    description: "Metrics in Prometheus' text format",
    content: { [metrics.contentType.split(';')[0]]: { schema: { type: 'string' } } },
  };
  const schema = {
    tags: ['health'],
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    response: responses({ 200: success }),
  };
  app.get('/metrics', { schema, config: { rateLimit: false } }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}
