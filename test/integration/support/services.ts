import { afterEach, beforeEach } from 'vitest';
import { makeFolder, start, type Started } from './maestro.js';

export interface StartedService {
  readonly service: Started;
  readonly url: string;
}

/** Call at a file's top level: starts services on the store of one folder, which go after each test. */
export function services(files: Readonly<Record<string, string>>): {
  serve: (args?: readonly string[], env?: Record<string, string>) => Promise<StartedService>;
  folder: () => string;
} {
  let folder: ReturnType<typeof makeFolder>;
  const started: Started[] = [];
  beforeEach(() => (folder = makeFolder(files)));
  afterEach(async () => {
    for (const { child, finished } of started.splice(0)) {
      child.kill('SIGKILL');
      await finished;
    }
    folder.remove();
  });
  return {
    folder: () => folder.path,
    serve: async (args = [], env = {}) => {
      const options = { cwd: folder.path, env };
      const service = start(['serve', '--port', '0', '--workflows', ...Object.keys(files), ...args], options);
      started.push(service);
      const [, url] = await service.until(/listening on (http:\/\/\S+)/);
      return { service, url };
    },
  };
}
