import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from '../context.js';
import { notFound } from '../errors.js';
import { DOCUMENT, EXECUTION_PARAMS, responses } from '../schemas.js';
import { assertTakingIn, documentOf } from './executions.js';

const BODY = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    dry_run: {
      type: 'boolean',
      default: false,
      description: 'Only say what would become of the execution',
    },
  },
} as const;

/** An execution under the definition that is registered for its workflow. */
export function migrationRoutes(
  app: FastifyInstance,
  { runtime, workflows, draining }: ServiceContext,
): void {
  const schema = {
    tags: ['executions'],
    operationId: 'migrateExecution',
    summary:
      'Let an execution that is paused or failed go on under the registered definition of its workflow',
    params: EXECUTION_PARAMS,
    body: BODY,
    response: responses({ 200: DOCUMENT }),
  };
  app.post<{ Params: { execution_id: string }; Body: { dry_run?: boolean } | null }>(
    '/api/executions/:execution_id/migrate',
    { schema },
    async ({ params: { execution_id }, body }) => {
      assertTakingIn(draining);
      const { workflow_id } = await documentOf(runtime, execution_id);
      const workflow = workflows.get(workflow_id);
      if (workflow === undefined) throw notFound(`no workflow ${JSON.stringify(workflow_id)} is registered`);
      return runtime.migrate(execution_id, workflow, { dryRun: body?.dry_run });
    },
  );
}
