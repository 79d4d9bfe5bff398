import type { FastifyInstance } from 'fastify';
import { MaestroError } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { ID, responses, SCHEDULE, SCHEDULES } from '../schemas.js';
import { assertTakingIn } from './executions.js';

const tags = ['schedules'];
const PATH = '/api/schedules/:workflow_id';
const params = { type: 'object', required: ['workflow_id'], properties: { workflow_id: ID } } as const;

interface OfWorkflow {
  Params: { workflow_id: string };
}

/** Workflows that start by themselves. */
export function scheduleRoutes(app: FastifyInstance, context: ServiceContext): void {
  const { runtime } = context;
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: {
      next: {
        type: 'integer',
        minimum: 0,
        maximum: 100,
        default: 1,
        description: 'How many of the next times',
      },
    },
  };
  const summary = 'Schedules with their next times';
  const schema = {
    tags,
    operationId: 'listSchedules',
    summary,
    querystring,
    response: responses({ 200: SCHEDULES }),
  };
  app.get<{ Querystring: { next: number } }>('/api/schedules', { schema }, async ({ query }) => ({
    schedules: await runtime.schedules.list(query),
  }));
  for (const action of ['pause', 'resume'] as const) {
    const summary = action === 'pause' ? 'Start nothing until it is resumed' : 'Start again what is due';
    const schema = {
      tags,
      operationId: `${action}Schedule`,
      summary,
      params,
      response: responses({ 200: SCHEDULE }),
    };
    app.post<OfWorkflow>(`${PATH}/${action}`, { schema }, ({ params }) =>
      runtime.schedules[action](params.workflow_id),
    );
  }
  changeRoutes(app, context);
}

function changeRoutes(app: FastifyInstance, { runtime, workflows, draining }: ServiceContext): void {
  const added = {
    tags,
    operationId: 'addSchedule',
    summary: 'Schedule a registered workflow, or replace its schedule by the registered one',
    params,
    response: responses({ 200: SCHEDULE }),
  };
  app.put<OfWorkflow>(PATH, { schema: added }, async ({ params: { workflow_id } }) => {
    assertTakingIn(draining);
    const workflow = workflows.get(workflow_id);
    if (workflow === undefined)
      throw new MaestroError('NOT_FOUND', `no workflow ${JSON.stringify(workflow_id)} is registered`);
    return runtime.schedules.add(workflow);
  });
  const removed = {
    tags,
    operationId: 'removeSchedule',
    summary: 'Forget a schedule; executions are not touched',
    params,
    response: responses({ 204: { type: 'null', description: 'It is gone' } }),
  };
  app.delete<OfWorkflow>(PATH, { schema: removed }, async ({ params: { workflow_id } }, reply) => {
    if (!(await runtime.schedules.remove(workflow_id)))
      throw new MaestroError('SCHEDULE_NOT_FOUND', `workflow "${workflow_id}" has no schedule in this store`);
    return reply.code(204).send();
  });
}
