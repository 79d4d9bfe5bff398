import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import {
  componentLogger,
  MaestroError,
  toErrorDocument,
  type Logger,
  type Runtime,
  type Workflow,
} from '../runtime/index.js';
import { Gatekeeper, type Token } from './auth.js';
import { WorkflowCatalogue } from './catalogue.js';
import type { ServiceContext } from './context.js';
import { notFound, sendError } from './errors.js';
import { HealthMonitor, type HealthLimits } from './health.js';
import { ServiceMetrics } from './metrics.js';
import { artifactRoutes } from './routes/artifacts.js';
import { answerRoutes } from './routes/answers.js';
import { logRequests } from './request-log.js';
import { executionRoutes } from './routes/executions.js';
import { healthRoutes } from './routes/health.js';
import { queueRoutes } from './routes/queues.js';
import { logRoutes } from './routes/logs.js';
import { metricsRoutes } from './routes/metrics.js';
import { scheduleRoutes } from './routes/schedules.js';
import { migrationRoutes } from './routes/migrations.js';
import { rerunRoutes } from './routes/reruns.js';
import { docsRoutes } from './docs.js';
import { eventRoutes } from './routes/events.js';
import { websocketRoutes } from './routes/websocket.js';
import { workflowRoutes } from './routes/workflows.js';
import { Streams } from './streams.js';

/** Options of createService. */
export interface ServiceOptions {
  /** Not closed by the service. */
  readonly runtime: Runtime;
  /** What clients may start. `sdlc-linear` and `sdlc-parallel` are what POST /api/workflows starts. */
  readonly workflows: readonly Workflow[];
  readonly logger: Logger;
  readonly version: string;
  /** Default 127.0.0.1. Any other needs tokens. */
  readonly host?: string;
  /** Default 8000; 0: any that is free. */
  readonly port?: number;
  readonly tokens?: readonly Token[];
  /** Folder of the store, to watch the free space of its disk. */
  readonly storePath?: string;
  /** From where on `/health` tells of a full disk or a late event loop. */
  readonly healthLimits?: HealthLimits;
  /** Largest body of a request. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Requests of one address per minute. Default 60,000. */
  readonly requestsPerMinute?: number;
  /** Event streams at once, SSE and WebSocket together. Default 500. */
  readonly maxStreams?: number;
  /** Connections at once. Default 1,000. */
  readonly maxConnections?: number;
}

/** A service that has not begun to listen, or listens. */
export interface Service {
  /** For tests and embedding: `inject`, more routes. */
  readonly app: FastifyInstance;
  /** @returns the URL. @throws SERVICE_ADDRESS */
  listen(): Promise<string>;
  /** Starts nothing any more; who asks whether it is ready is told no. */
  drain(): void;
  /** Drains, ends what is being answered, closes. Idempotent. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;
const CLOSE_TIMEOUT_MS = 5000;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * The HTTP service over a runtime.
 * @throws SERVICE_INSECURE, CONFIG_CONFLICT
 */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { runtime, host = '127.0.0.1', port = 8000 } = options;
  const logger = componentLogger(options.logger, 'server');
  const gatekeeper = new Gatekeeper(options.tokens ?? [], host);
  let draining = false;
  const health = new HealthMonitor(runtime, options.storePath, options.healthLimits);
  const metrics = new ServiceMetrics({ runtime, health, version: options.version });
  const workflows = new WorkflowCatalogue(options.workflows);
  const streams = new Streams(options.maxStreams ?? 500);
  const context: ServiceContext = {
    runtime,
    workflows,
    logger,
    health,
    metrics,
    streams,
    draining: () => draining,
  };
  const app = createApp(options);
  app.addHook('onRequest', async (request) => gatekeeper.admit(request));
  app.addHook('onResponse', async (request, reply) => metrics.answered(request, reply));
  logRequests(app, logger);
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, notFound(`there is no ${request.method} ${request.url.split('?')[0]}`)),
  );
  app.setErrorHandler((error, request, reply) => {
    sendError(reply, error);
    if (reply.statusCode >= 500)
      logger.error(
        { error: toErrorDocument(error), method: request.method, url: request.routeOptions.url },
        'a request failed',
      );
  });
  await app.register(rateLimit, { max: options.requestsPerMinute ?? 60_000, timeWindow: 60_000 });
  await app.register(swagger, { openapi: openapiHead(options.version, (options.tokens ?? []).length > 0) });
  await websocketRoutes(app, context);
  await app.register((scope) => {
    healthRoutes(scope, context);
    metricsRoutes(scope, context);
    executionRoutes(scope, context);
    answerRoutes(scope, context);
    rerunRoutes(scope, context);
    migrationRoutes(scope, context);
    scheduleRoutes(scope, context);
    logRoutes(scope, context);
    artifactRoutes(scope, context);
    queueRoutes(scope, context);
    workflowRoutes(scope, context);
    eventRoutes(scope, context);
  });
  await app.register(docsRoutes);
  app.addHook('preClose', (done) => (streams.endAll(), done()));
  await app.ready();
  let closing: Promise<void> | undefined;
  return {
    app,
    listen: async () => {
      const url = await listen(app, host, port);
      health.watchLoop();
      return url;
    },
    drain: () => void (draining = true),
    close: () => {
      draining = true;
      health.stop();
      return (closing ??= closeApp(app));
    },
  };
}

function createApp(options: ServiceOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: options.maxBodyBytes ?? 2 ** 20,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 2 * REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    // What a schema does not know is refused, not dropped, and text is no number in a body.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array', allowUnionTypes: true } },
    routerOptions: { maxParamLength: 1024 },
  });
  app.server.maxConnections = options.maxConnections ?? 1000;
  return app;
}

/** Who does not take his answer is cut off: closing never waits for a client. */
async function closeApp(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  await Promise.resolve(app.close()).finally(() => clearTimeout(cut));
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    const why = toErrorDocument(cause).message;
    throw new MaestroError('SERVICE_ADDRESS', `cannot listen on ${host}, port ${port}: ${why}`, { cause });
  }
}

function openapiHead(version: string, secured: boolean) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'maestro-dag',
      version,
      description: 'Durable DAG workflows: start, watch and steer executions.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This service' }],
    tags: [
      { name: 'workflows', description: 'What can be started' },
      { name: 'executions', description: 'What was started' },
      { name: 'schedules', description: 'Workflows that start by themselves' },
      { name: 'health', description: 'How the service is' },
    ],
    ...(secured && {
      components: { securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer' } } },
    }),
    security: secured ? [{ bearer: [] }] : [{} as Record<string, string[]>],
  };
}
