import { afterEach } from 'vitest';
import { createRuntime, type Runtime, type RuntimeOptions } from '../../../src/runtime/index.js';
import { createService, type Service, type ServiceOptions } from '../../../src/server/index.js';

const nothing = (): void => {};
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Call at a file's top level: opens runtimes with a service each; both are closed after the test. */
export function services() {
  const opened: { service: Service; runtime: Runtime }[] = [];
  afterEach(async () => {
    for (const { service, runtime } of opened.splice(0)) {
      await service.close();
      await runtime.close({ drainMs: 0 });
    }
  });
  return async (options: Partial<ServiceOptions> = {}, runtimeOptions: RuntimeOptions = {}) => {
    const runtime = await createRuntime({ store: 'memory:', pool: { graceMs: 10 }, ...runtimeOptions });
    const common = { runtime, workflows: [], logger: silent, version: '1.2.3' };
    const service = await createService({ ...common, ...options });
    opened.push({ service, runtime });
    const get = async (url: string, headers: Record<string, string> = {}) => {
      const { statusCode: status, headers: answered, body } = await service.app.inject({ url, headers });
      return { status, headers: answered, body };
    };
    return { service, runtime, get };
  };
}
