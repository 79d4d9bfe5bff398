import type { FastifyInstance } from 'fastify';
import { isMaestroError, isWorkflowStatusEnded, type Workflow } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { notFound } from '../errors.js';
import { DOCUMENT, EXECUTION, ID, responses, STARTED } from '../schemas.js';
import { assertTakingIn, documentOf, executionBody } from './executions.js';

interface IdParams {
  id: string;
}

interface StartBody {
  requirement: string;
  workflow_type: 'linear' | 'parallel';
  name?: string;
}

interface ExecuteBody {
  context?: Record<string, unknown>;
  execution_id?: string;
}

const PARAMS = { type: 'object', required: ['id'], properties: { id: ID } } as const;
const MAX_ACTIVE_LISTED = 1000;
const tags = ['workflows'];

/** Starting registered workflows, and the routes the old system had under /api/workflows. */
export function workflowRoutes(app: FastifyInstance, context: ServiceContext): void {
  startRoutes(app, context);
  activeRoute(app, context);
  lookRoutes(app, context);
}

function startRoutes(app: FastifyInstance, { runtime, workflows, draining }: ServiceContext): void {
  const registered = (id: string): Workflow => {
    const workflow = workflows.get(id);
    if (workflow === undefined) throw notFound(`no workflow ${JSON.stringify(id)} is registered`);
    return workflow;
  };
  const body = {
    type: 'object',
    additionalProperties: false,
    required: ['requirement', 'workflow_type'],
    properties: {
      requirement: { type: 'string', minLength: 1, maxLength: 10_000 },
      workflow_type: { type: 'string', enum: ['linear', 'parallel'] },
      name: { type: 'string', minLength: 1, maxLength: 255 },
    },
  };
  const response = responses({ 201: STARTED });
  const start = { tags, operationId: 'startSdlcWorkflow', summary: 'Start an SDLC workflow', body, response };
  app.post<{ Body: StartBody }>('/api/workflows', { schema: start }, async (request, reply) => {
    assertTakingIn(draining);
    const { requirement, workflow_type, name } = request.body;
    const context = { requirement, ...(name !== undefined && { name }) };
    const execution = await runtime.start(registered(`sdlc-${workflow_type}`), context);
    return reply.code(201).send(startedBody(execution.workflowId, execution.id));
  });

  const execute = {
    tags,
    operationId: 'executeWorkflow',
    summary: 'Start a registered workflow',
    description:
      'With an execution_id the call can be repeated: it starts once, and then answers with what it started.',
    params: PARAMS,
    body: {
      type: 'object',
      additionalProperties: false,
      properties: { context: { type: 'object', additionalProperties: true }, execution_id: ID },
    },
    response: responses({ 200: STARTED, 201: STARTED }),
  };
  app.post<{ Params: IdParams; Body: ExecuteBody }>(
    '/api/workflows/:id/execute',
    { schema: execute },
    async ({ params: { id }, body: { context = {}, execution_id } }, reply) => {
      assertTakingIn(draining);
      const workflow = registered(id);
      try {
        const execution = await runtime.start(workflow, context, { executionId: execution_id });
        return reply.code(201).send(startedBody(id, execution.id));
      } catch (error) {
        if (execution_id === undefined || !isMaestroError(error, 'EXECUTION_EXISTS')) throw error;
        const { workflow_id, status } = await documentOf(runtime, execution_id);
        if (workflow_id !== id) throw error;
        return reply.send({ workflow_id, execution_id, status });
      }
    },
  );
}

function startedBody(workflow_id: string, execution_id: string): object {
  return { workflow_id, execution_id, status: 'running' };
}

function activeRoute(app: FastifyInstance, { runtime }: ServiceContext): void {
  const active = {
    type: 'object',
    required: ['workflows'],
    properties: { workflows: { type: 'array', items: EXECUTION } },
  };
  const schema = {
    tags,
    operationId: 'listActive',
    summary: 'Executions that have not ended, newest first',
    response: responses({ 200: { ...active, description: `At most ${MAX_ACTIVE_LISTED} of them` } }),
  };
  app.get('/api/workflows/active', { schema }, async () => {
    const status = ['running', 'paused', 'pending'] as const;
    const { records } = await runtime.list({ status, limit: MAX_ACTIVE_LISTED });
    const documents = await Promise.all(records.map(({ executionId }) => runtime.get(executionId)));
    const open = documents.filter((each) => each !== undefined && !isWorkflowStatusEnded(each.status));
    return { workflows: open.map((each) => ({ ...executionBody(each!), node_states: undefined })) };
  });
}

function lookRoutes(app: FastifyInstance, { runtime, workflows }: ServiceContext): void {
  const all = {
    tags,
    operationId: 'listWorkflows',
    summary: 'Registered workflows',
    response: responses({ 200: DOCUMENT }),
  };
  app.get('/api/workflows', { schema: all }, () => ({
    workflows: workflows.list().map(({ spec: { workflow, nodes } }) => ({
      workflow_id: workflow.id,
      name: workflow.name,
      total_nodes: nodes.length,
    })),
  }));

  const one = {
    tags,
    operationId: 'getWorkflow',
    summary: 'State of an execution, or the definition of a registered workflow, by its id',
    params: PARAMS,
    response: responses({ 200: DOCUMENT }),
  };
  app.get<{ Params: IdParams }>('/api/workflows/:id', { schema: one }, async ({ params: { id } }) => {
    const document = await runtime.get(id);
    if (document !== undefined) return executionBody(document);
    const workflow = workflows.get(id);
    if (workflow === undefined)
      throw notFound(`there is no execution and no registered workflow ${JSON.stringify(id)}`);
    return workflow.spec;
  });

  const cancel = {
    tags,
    operationId: 'cancelWorkflow',
    summary: 'Cancel an execution, or every execution of a workflow, by id',
    params: PARAMS,
    response: responses({ 202: DOCUMENT }),
  };
  app.post<{ Params: IdParams }>(
    '/api/workflows/:id/cancel',
    { schema: cancel },
    async ({ params: { id } }, reply) => {
      const isExecution = (await runtime.get(id)) !== undefined;
      const ids = isExecution ? [id] : await activeOf(id);
      if (ids.length === 0)
        throw notFound(`there is no execution ${JSON.stringify(id)}, and none of such a workflow`);
      await Promise.all(ids.map((each) => runtime.cancel(each)));
      return reply.code(202).send({ cancelled: ids });
    },
  );

  async function activeOf(workflowId: string): Promise<string[]> {
    const status = ['running', 'paused', 'pending'] as const;
    const { records } = await runtime.list({ workflowId, status, limit: MAX_ACTIVE_LISTED });
    return records.map(({ executionId }) => executionId);
  }
}
