import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { responses } from '../schemas.js';

const HEALTH = {
  type: 'object',
  description: 'healthy, or degraded with reasons',
  required: ['status', 'reasons', 'warnings', 'uptime_seconds'],
  properties: {
    status: { type: 'string', enum: ['healthy', 'degraded'] },
    reasons: { type: 'array', items: { type: 'string' } },
    warnings: { type: 'array', items: { type: 'string' } },
    uptime_seconds: { type: 'integer' },
  },
} as const;
const PROBE = {
  type: 'object',
  description: 'The answer in a word',
  required: ['status'],
  properties: { status: { type: 'string' }, reasons: { type: 'array', items: { type: 'string' } } },
} as const;
const tags = ['health'];
// Who watches the service may ask without a token, and as often as he likes.
const config = { scope: 'public', rateLimit: false } as const;

/**
 * `/health` answers 200 while the process can say how it is, degraded or not; `/health/ready` 503 when it takes in
 * nothing (draining, or its runtime has died); `/health/live` only says that the process answers.
 */
export function healthRoutes(app: FastifyInstance, { health, runtime, draining }: ServiceContext): void {
  const schema = (operationId: string, summary: string, success: object) => ({
    tags,
    operationId,
    summary,
    security: [],
    response: responses({ 200: success }),
  });
  app.get('/health', { config, schema: schema('getHealth', 'How the service is', HEALTH) }, () =>
    health.document(),
  );
  app.get(
    '/health/live',
    { config, schema: schema('getLiveness', 'Whether the process answers', PROBE) },
    () => ({
      status: 'live',
    }),
  );
  const ready = schema('getReadiness', 'Whether the service takes in work', PROBE);
  const response = { ...ready.response, 503: PROBE };
  app.get('/health/ready', { config, schema: { ...ready, response } }, async (_, reply) => {
    const reasons = [draining() ? 'shutting down' : undefined, runtime.failure?.message].filter(
      (reason) => reason !== undefined,
    );
    if (reasons.length > 0) return reply.code(503).send({ status: 'not ready', reasons });
    return { status: 'ready', reasons };
  });
}
