/** The part of pino's interface that is used. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Makes a logger whose lines carry these fields, too. Without it lines do not say which component they are of. */
  child?(fields: { component: Component }): Logger;
  /** Without it every level counts as wanted. */
  isLevelEnabled?(level: string): boolean;
}

/** The parts that log under a name of their own, in the field `component`. */
export const COMPONENTS = ['runtime', 'supervisor', 'store', 'pool', 'events', 'server', 'cli'] as const;
export type Component = (typeof COMPONENTS)[number];

const nothing = (): void => {};
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  isLevelEnabled: () => false,
};

export function componentLogger(logger: Logger, component: Component): Logger {
  return logger.child?.({ component }) ?? logger;
}

/** Whether lines of a level go anywhere: what they say need not be made otherwise. */
export function isWanted(logger: Logger, level: 'debug' | 'info'): boolean {
  return logger.isLevelEnabled?.(level) ?? true;
}
