import type { Logger } from '../runtime/index.js';
import type { OutputStream } from './terminal.js';

/**
 * A pino logger to `stream`, readable on a terminal, JSON lines elsewhere; undefined (silent) without a level.
 * Written synchronously: a log that is lost when the process dies helps nobody.
 */
export async function createLogger(
  level: string | undefined,
  stream: OutputStream,
): Promise<Logger | undefined> {
  if (level === undefined) return undefined;
  const { pino } = await import('pino');
  const destination = stream.isTTY === true ? await prettyStream(stream) : stream;
  const logger: Logger = pino({ level }, destination);
  return logger;
}

async function prettyStream(destination: OutputStream): Promise<NodeJS.WritableStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination, sync: true, ignore: 'pid,hostname' });
}
