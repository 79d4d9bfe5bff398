import type { Logger } from '../runtime/index.js';
import { redactor, type LogLevels } from './log-settings.js';
import type { GlobalOptions } from './options.js';
import type { OutputStream } from './terminal.js';

export interface LogOptions {
  readonly levels: LogLevels;
  /** Names of fields that are not logged, besides those that never are. */
  readonly redact: readonly string[];
  /** false: JSON lines also on a terminal. */
  readonly pretty: boolean;
}

/** What the options say; undefined without a level. */
export function logOptions({ logLevel, logRedact, json }: GlobalOptions): LogOptions | undefined {
  if (logLevel === undefined) return undefined;
  return { levels: logLevel, redact: logRedact ?? [], pretty: json !== true };
}

/**
 * A pino logger to `stream`, readable on a terminal, JSON lines elsewhere; undefined (silent) without options.
 * Written synchronously: a log that is lost when the process dies helps nobody.
 */
export async function createLogger(
  options: LogOptions | undefined,
  stream: OutputStream,
): Promise<Logger | undefined> {
  if (options === undefined) return undefined;
  const { pino, stdTimeFunctions } = await import('pino');
  const { level, components } = options.levels;
  const destination = options.pretty && stream.isTTY === true ? await prettyStream(stream) : stream;
  const logger: Logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { log: redactor(options.redact), level: (label) => ({ level: label }) },
      onChild: (child) => {
        const { component } = child.bindings() as { component?: string };
        child.level = components.get(component ?? '') ?? level;
      },
    },
    destination,
  );
  return logger;
}

async function prettyStream(destination: OutputStream): Promise<NodeJS.WritableStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination, sync: true, ignore: 'pid,hostname' });
}
