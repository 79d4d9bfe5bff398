import type { FastifyInstance } from 'fastify';
import {
  MaestroError,
  WORKFLOW_STATUSES,
  type ExecutionDocument,
  type ExecutionRecord,
  type ListFilter,
  type WorkflowStatus,
} from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import {
  DOCUMENT,
  EXECUTION,
  EXECUTION_PARAMS as PARAMS,
  ID,
  LISTING,
  NODE_STATE,
  responses,
} from '../schemas.js';

interface ExecutionParams {
  execution_id: string;
}

interface ListQuery {
  status?: WorkflowStatus;
  workflow_id?: string;
  since?: string;
  until?: string;
  limit: number;
  after?: string;
}

const tags = ['executions'];

/** Looking at executions, and steering them. */
export function executionRoutes(app: FastifyInstance, context: ServiceContext): void {
  listRoute(app, context);
  documentRoutes(app, context);
  steeringRoutes(app, context);
}

function listRoute(app: FastifyInstance, { runtime }: ServiceContext): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: {
      status: { type: 'string', enum: [...WORKFLOW_STATUSES] },
      workflow_id: ID,
      since: { type: 'string', format: 'date-time' },
      until: { type: 'string', format: 'date-time' },
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
      after: { type: 'string', maxLength: 1024 },
    },
  };
  const schema = {
    tags,
    operationId: 'listExecutions',
    summary: 'List executions',
    querystring,
    response: responses({ 200: LISTING }),
  };
  app.get<{ Querystring: ListQuery }>('/api/executions', { schema }, async ({ query }) => {
    const filter: ListFilter = {
      status: query.status,
      workflowId: query.workflow_id,
      createdFromMs: query.since === undefined ? undefined : Date.parse(query.since),
      createdToMs: query.until === undefined ? undefined : Date.parse(query.until),
      limit: query.limit,
      after: query.after,
    };
    const { records, next } = await runtime.list(filter);
    return { executions: records.map(listed), ...(next !== undefined && { next }) };
  });
}

function documentRoutes(app: FastifyInstance, { runtime }: ServiceContext): void {
  const get = (operationId: string, summary: string, success: object) => ({
    schema: { tags, operationId, summary, params: PARAMS, response: responses({ 200: success }) },
  });
  app.get<{ Params: ExecutionParams }>(
    '/api/executions/:execution_id',
    get('getExecution', 'State of an execution and its nodes', EXECUTION),
    async ({ params }) => executionBody(await documentOf(runtime, params.execution_id)),
  );
  app.get<{ Params: ExecutionParams }>(
    '/api/executions/:execution_id/document',
    get('getExecutionDocument', 'The stored document of an execution, with every output', DOCUMENT),
    async ({ params }) => documentOf(runtime, params.execution_id),
  );
  const params = {
    type: 'object',
    required: ['execution_id', 'node_id'],
    properties: { execution_id: ID, node_id: ID },
  } as const;
  const schema = {
    tags,
    operationId: 'getNode',
    summary: 'State of a node, with its output and artifacts',
    params,
    response: responses({ 200: NODE_STATE }),
  };
  app.get<{ Params: ExecutionParams & { node_id: string } }>(
    '/api/executions/:execution_id/nodes/:node_id',
    { schema },
    async ({ params: { execution_id, node_id } }) => {
      const { node_states } = await documentOf(runtime, execution_id, [node_id]);
      if (Object.hasOwn(node_states, node_id)) return node_states[node_id];
      throw new MaestroError(
        'NODE_NOT_FOUND',
        `execution ${execution_id} has no node ${JSON.stringify(node_id)}`,
      );
    },
  );
}

const CANCEL_QUERY = {
  type: 'object',
  properties: {
    compensate: {
      type: 'boolean',
      description: 'Undo what completed before it ends, also where the workflow does not ask for that',
    },
  },
};

function steeringRoutes(app: FastifyInstance, { runtime, draining }: ServiceContext): void {
  const post = (verb: string, summary: string) => ({
    schema: {
      tags,
      operationId: `${verb}Execution`,
      summary,
      params: PARAMS,
      ...(verb === 'cancel' && { querystring: CANCEL_QUERY }),
      response: responses({ 202: EXECUTION }),
    },
  });
  const verbs = {
    pause: { summary: 'Start nothing new; running nodes finish', act: (id: string) => runtime.pause(id) },
    cancel: {
      summary: 'Cancel, whichever process runs it',
      act: (id: string, compensate?: boolean) => runtime.cancel(id, undefined, { compensate }),
    },
    resume: {
      summary: 'Continue a paused or interrupted execution',
      act: (id: string) => runtime.resume(id),
    },
    retry: { summary: 'Run what failed or was cancelled again', act: (id: string) => runtime.retry(id) },
  };
  for (const [verb, { summary, act }] of Object.entries(verbs)) {
    app.post<{ Params: ExecutionParams; Querystring: { compensate?: boolean } }>(
      `/api/executions/:execution_id/${verb}`,
      post(verb, summary),
      async ({ params: { execution_id }, query: { compensate } }, reply) => {
        if (verb === 'resume' || verb === 'retry') assertTakingIn(draining);
        await act(execution_id, compensate);
        reply.code(202);
        return executionBody(await documentOf(runtime, execution_id));
      },
    );
  }
  const schema = {
    tags,
    operationId: 'deleteExecution',
    summary: 'Delete an execution that has ended',
    params: PARAMS,
    response: responses({ 204: { type: 'null', description: 'Deleted' } }),
  };
  app.delete<{ Params: ExecutionParams }>(
    '/api/executions/:execution_id',
    { schema },
    async ({ params: { execution_id } }, reply) => {
      if (!(await runtime.delete(execution_id))) throw unknown(execution_id);
      return reply.code(204).send();
    },
  );
}

/** @throws DRAINING */
export function assertTakingIn(draining: ServiceContext['draining']): void {
  if (draining())
    throw new MaestroError('DRAINING', 'the service is shutting down: it starts nothing any more');
}

/** @throws EXECUTION_NOT_FOUND */
export async function documentOf(
  runtime: ServiceContext['runtime'],
  executionId: string,
  items: readonly string[] = [],
): Promise<ExecutionDocument> {
  const document = await runtime.get(executionId, { items });
  if (document === undefined) throw unknown(executionId);
  return document;
}

function unknown(executionId: string): MaestroError {
  return new MaestroError('EXECUTION_NOT_FOUND', `no execution ${JSON.stringify(executionId)} is stored`);
}

/** The canonical shape of GET /api/executions/{execution_id}: node states without outputs, in a list. */
export function executionBody(document: ExecutionDocument): object {
  const { execution_id, workflow_id, status, interrupted, completed_nodes, total_nodes } = document;
  const { progress_percent, failed_node, error, started_at, completed_at } = document;
  const node_states = Object.values(document.node_states).map(({ output: _, ...state }) => state);
  return {
    execution_id,
    workflow_id,
    status,
    interrupted,
    completed_nodes,
    total_nodes,
    progress_percent,
    node_states,
    failed_node,
    error,
    started_at,
    completed_at,
  };
}

function listed(record: ExecutionRecord): object {
  const iso = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString());
  return {
    execution_id: record.executionId,
    workflow_id: record.workflowId,
    status: record.status,
    completed_nodes: record.counts.completed,
    total_nodes: record.nodeCount,
    created_at: iso(record.createdAtMs),
    started_at: iso(record.startedAtMs),
    completed_at: iso(record.endedAtMs),
  };
}
