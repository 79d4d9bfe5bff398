import { describe } from 'vitest';
import { FENCES, OWNERS } from '../../src/store/keys.js';
import type { Kv } from '../../src/store/kv.js';
import type { CommitLogFile, LogPlace } from '../../src/store/log-files.js';
import { mustBeFound, withCommit, type Mutations } from './mutants.js';

/** Logs whose files are as `change` makes them. */
function withFiles(place: LogPlace, change: (file: CommitLogFile) => Partial<CommitLogFile>): LogPlace {
  const create: LogPlace['create'] = async (owner) => {
    const file = await place.create(owner);
    return { ...file, ...change(file) };
  };
  return { ...place, create };
}

/** Defects planted in the logs of commits, and in who uses them. */
const MUTATIONS: Mutations = {
  'a commit is answered before it is in the log': {
    broken: () => ({
      logs: (place) =>
        withFiles(place, (file) => ({
          write: async (bytes, at) => void file.write(Buffer.from(bytes), at).catch(() => {}),
        })),
    }),
    codes: ['DURABLE_BEFORE_TOLD', 'DURABLE_DEPENDENCIES'],
  },
  'who takes over does not read the log': {
    broken: () => ({ logs: (place) => ({ ...place, read: async () => null }) }),
    codes: ['JOURNAL_WITHOUT_GAPS', 'ANNOUNCED_NEVER_RERUNS'],
  },
  'nobody looks for the fence once a commit is in the log': {
    broken: () => ({
      disk: (kv) => {
        const own = new Set<string>();
        const noted = withCommit(kv, (ops, guards) => {
          for (const { op, key } of ops) if (op === 'put' && key.startsWith(OWNERS)) own.add(key.slice(2));
          return kv.commit(ops, guards);
        });
        const get: Kv['get'] = async (key) =>
          key.startsWith(FENCES) && own.has(key.slice(2)) ? undefined : kv.get(key);
        return { ...noted, get };
      },
      logs: (place) => place,
    }),
    codes: ['TOLD_ONCE', 'DURABLE_BEFORE_TOLD'],
  },
  'a log is begun anew although not everything in it is in the store': {
    broken: () => ({
      logs: (place) => withFiles(place, (file) => ({ write: (bytes) => file.write(bytes, 0) })),
    }),
    codes: ['ERRORS_ARE_KNOWN', 'ANNOUNCED_NEVER_RERUNS'],
  },
};

describe('a planted defect of the logs is found within the seeds of the normal run', () =>
  mustBeFound(MUTATIONS));
