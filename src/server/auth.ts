import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { MaestroError } from '../runtime/index.js';

/** read: look; write: look, start and steer. */
export type Scope = 'read' | 'write';

/** A bearer token and what it allows. */
export interface Token {
  readonly scope: Scope;
  readonly token: string;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a request needs; default: read for GET, write otherwise. `public` needs no token. */
    scope?: Scope | 'public';
  }
}

const MIN_TOKEN_CHARACTERS = 16;

/**
 * Lets requests in, or not. With tokens every request needs one, compared in constant time. Without, only this
 * machine may ask, and only under a name of its own: a page in a browser that reaches it by a name of its own
 * (DNS rebinding), or from another origin, is refused.
 */
export class Gatekeeper {
  private readonly digests: readonly { scope: Scope; digest: Buffer }[];

  /** @throws SERVICE_INSECURE when others than this machine could ask without a token, or a token is too short */
  constructor(tokens: readonly Token[], host: string) {
    if (tokens.length === 0 && !isLoopback(host)) {
      throw new MaestroError(
        'SERVICE_INSECURE',
        `the service would be open to everybody who reaches ${host}`,
      );
    }
    if (tokens.some(({ token }) => token.length < MIN_TOKEN_CHARACTERS)) {
      throw new MaestroError('SERVICE_INSECURE', `a token has fewer than ${MIN_TOKEN_CHARACTERS} characters`);
    }
    this.digests = tokens.map(({ scope, token }) => ({ scope, digest: digestOf(token) }));
  }

  /** @throws UNAUTHORIZED, FORBIDDEN */
  admit(request: FastifyRequest): void {
    if (this.digests.length === 0) return assertLocal(request);
    const needed = request.routeOptions.config.scope ?? (isReading(request) ? 'read' : 'write');
    if (needed === 'public') return;
    const given = bearerOf(request.headers);
    const scope = given === undefined ? undefined : this.scopeOf(given);
    if (scope === undefined) throw new MaestroError('UNAUTHORIZED', 'a valid bearer token is needed');
    if (needed === 'write' && scope !== 'write')
      throw new MaestroError('FORBIDDEN', 'this token allows to read only');
  }

  /** Every token is compared, whether one has matched or not. */
  private scopeOf(token: string): Scope | undefined {
    const digest = digestOf(token);
    let found: Scope | undefined;
    for (const each of this.digests) {
      if (timingSafeEqual(each.digest, digest) && found !== 'write') found = each.scope;
    }
    return found;
  }
}

/** Whether only this machine reaches a host: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

function assertLocal({ headers, hostname }: FastifyRequest): void {
  if (!isLoopback(hostname)) {
    throw new MaestroError('FORBIDDEN', 'without tokens the service answers to localhost only');
  }
  const { origin } = headers;
  if (origin !== undefined && !isLocalOrigin(origin)) {
    throw new MaestroError('FORBIDDEN', 'without tokens the service answers to pages of this machine only');
  }
}

function isLocalOrigin(origin: string): boolean {
  try {
    return isLoopback(new URL(origin).hostname);
  } catch {
    return false;
  }
}

/** A WebSocket of a browser cannot have the header: it may offer the subprotocols `bearer` and the token instead. */
function bearerOf({ authorization, upgrade, ...headers }: FastifyRequest['headers']): string | undefined {
  if (authorization !== undefined) return /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1];
  if (upgrade?.toLowerCase() !== 'websocket') return undefined;
  return /^bearer *, *([^\s,]+)$/i.exec(headers['sec-websocket-protocol'] ?? '')?.[1];
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
