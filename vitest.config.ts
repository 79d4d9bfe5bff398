import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

/** What is polled for comes: on a machine that is busy it may take longer than the second that is usual. */
const expect = { poll: { timeout: 30_000 } };

/**
 * Two projects. `unit` runs the TypeScript sources as they are. `integration` (threads, killed processes, the
 * command) needs real files for worker threads and child processes, so its imports of `src` and `machines` are
 * redirected to the built `dist`: it tests what ships. `npm test` builds first.
 */
export default defineConfig({
  test: {
    // Vitest leaves one core for itself, and of two that is half; tests wait for processes and disks most of the time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'node_modules/**', 'dist/**'],
          pool: 'forks',
          testTimeout: 60_000,
          expect,
        },
      },
      {
        resolve: {
          alias: [
            { find: /^(?:\.\.\/)+(src|machines)\/(.*)$/, replacement: `${root}/dist/$1/$2` },
            { find: /^maestro-dag$/, replacement: `${root}/dist/src/runtime/index.js` },
            { find: /^maestro-dag\/remote$/, replacement: `${root}/dist/src/runtime/remote/index.js` },
          ],
        },
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 180_000,
          expect,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
