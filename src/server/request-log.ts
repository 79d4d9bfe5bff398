import type { FastifyInstance } from 'fastify';
import type { Logger } from '../runtime/index.js';

/** A line for each request at debug; when nobody would see it, it is not even made. */
export function logRequests(app: FastifyInstance, logger: Logger): void {
  if (logger.isLevelEnabled?.('debug') === false) return;
  app.addHook('onResponse', async ({ method, params, routeOptions }, reply) => {
    const { execution_id, workflow_id, node_id } = (params ?? {}) as Record<string, string | undefined>;
    const fields = { method, route: routeOptions.url, status: reply.statusCode };
    const durationMs = Math.round(reply.elapsedTime);
    logger.debug({ ...fields, duration_ms: durationMs, execution_id, workflow_id, node_id }, 'answered');
  });
}
