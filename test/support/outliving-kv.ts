import type { Kv } from '../../src/store/kv.js';

/** A store that its runtimes cannot close, as a folder outlives those who open it. */
export function outliving(kv: Kv): Kv {
  return {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    commit: (ops, guards) => kv.commit(ops, guards),
    close: async () => {},
  };
}
