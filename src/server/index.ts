/** The HTTP service of maestro-dag. */
export { createService, type Service, type ServiceOptions } from './service.js';
export type { HealthLimits } from './health.js';
export type { Scope, Token } from './auth.js';
