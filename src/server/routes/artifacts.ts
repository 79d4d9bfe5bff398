import type { FastifyInstance } from 'fastify';
import { MaestroError, openArtifact, type ArtifactDocument } from '../../runtime/index.js';
import type { ServiceContext } from '../context.js';
import { ARTIFACTS, EXECUTION_PARAMS, ID, responses } from '../schemas.js';

const tags = ['executions'];

/** The files that nodes returned. Clients name artifacts by their ids, never by paths: there is nothing to escape with. */
export function artifactRoutes(app: FastifyInstance, { runtime }: ServiceContext): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: { node_id: ID, verify: { type: 'boolean', default: false } },
  } as const;
  app.get<{ Params: { execution_id: string }; Querystring: { node_id?: string; verify: boolean } }>(
    '/api/executions/:execution_id/artifacts',
    {
      schema: {
        tags,
        operationId: 'getArtifacts',
        summary: 'The files that nodes returned as artifacts',
        params: EXECUTION_PARAMS,
        querystring,
        response: responses({ 200: ARTIFACTS }),
      },
    },
    async ({ params: { execution_id }, query: { node_id, verify } }) => ({
      execution_id,
      artifacts: (await runtime.artifacts(execution_id, { nodeId: node_id, verify })).map(withoutFolder),
    }),
  );
  contentRoute(app, runtime);
}

const BYTES = {
  description: 'Its bytes, under its own media type',
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
} as const;

function contentRoute(app: FastifyInstance, runtime: ServiceContext['runtime']): void {
  const params = {
    type: 'object',
    required: ['execution_id', 'artifact_id'],
    properties: { execution_id: ID, artifact_id: { type: 'string', pattern: '^[0-9a-f]{24}$' } },
  } as const;
  const schema = {
    tags,
    operationId: 'getArtifact',
    summary: 'The content of an artifact',
    params,
    response: responses({ 200: BYTES }),
  };
  app.get<{ Params: { execution_id: string; artifact_id: string } }>(
    '/api/executions/:execution_id/artifacts/:artifact_id',
    { schema },
    async ({ params: { execution_id, artifact_id } }, reply) => {
      const [artifact] = await runtime.artifacts(execution_id, { artifactId: artifact_id });
      if (artifact === undefined)
        throw new MaestroError(
          'ARTIFACT_MISSING',
          `execution ${execution_id} has no artifact ${artifact_id}`,
        );
      const handle = await openArtifact(artifact);
      const { size_bytes, type, checksum, path } = artifact;
      const name = encodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
      return (
        reply
          .headers({
            'content-type': type,
            'content-length': size_bytes,
            'content-disposition': `attachment; filename*=UTF-8''${name}`,
            'x-content-type-options': 'nosniff',
            etag: `"${checksum}"`,
            digest: `sha-256=${Buffer.from(checksum, 'hex').toString('base64')}`,
          })
          // No more than was said, should it grow meanwhile; the handle is closed with the stream.
          .send(handle.createReadStream({ start: 0, end: Math.max(0, size_bytes - 1) }))
      );
    },
  );
}

/** Where things lie on this machine is nobody's business. */
function withoutFolder({ folder: _, ...artifact }: ArtifactDocument): object {
  return artifact;
}
