import { describe, expect, it } from 'vitest';
import { countSyncs } from '../../bench/fsyncs.js';

const STORE = '</tmp/s/data.mdb>';

describe('a trace', () => {
  it('tells what was forced to disk between its marks, and what was written through', () => {
    const trace = `
7  openat(AT_FDCWD</tmp>, "/tmp/s/data.mdb", O_RDWR|O_CREAT|O_CLOEXEC, 0664) = 19${STORE}
7  openat(AT_FDCWD</tmp>, "/tmp/s/data.mdb", O_WRONLY|O_DSYNC|O_CLOEXEC) = 20${STORE}
8  fdatasync(19${STORE}) = 0
8  pwrite64(20${STORE}, "x"..., 128, 40) = 128
7  fdatasync(21</tmp/maestro-bench-begin>) = 0
8  pwrite64(19${STORE}, "x"..., 4096, 8192) = 4096
8  fdatasync(19${STORE} <unfinished ...>
9  openat(AT_FDCWD</tmp>, "/tmp/x", O_RDONLY) = 22</tmp/x>
8  <... fdatasync resumed>) = 0
8  pwrite64(20${STORE}, "x"..., 128, 40) = 128
9  fsync(22</tmp/x>) = 0
7  fdatasync(21</tmp/maestro-bench-end>) = 0
8  fdatasync(19${STORE}) = 0
9  +++ exited with 0 +++
`;
    expect(countSyncs(trace)).toEqual({ syncs: 2, synchronous_writes: 1 });
  });

  it('tells so of a file, too, whose opening another thread interrupts', () => {
    const trace = `
7  openat(AT_FDCWD</tmp>, "/tmp/s/log-a", O_RDWR|O_DSYNC|O_CLOEXEC <unfinished ...>
8  openat(AT_FDCWD</tmp>, "/tmp/x", O_RDONLY <unfinished ...>
8  <... openat resumed>) = 21</tmp/x>
7  <... openat resumed>) = 22</tmp/s/log-a>
7  fdatasync(23</tmp/maestro-bench-begin>) = 0
9  pwrite64(22</tmp/s/log-a>, "x"..., 4096, 0 <unfinished ...>
8  pwrite64(21</tmp/x>, "x"..., 4096, 0) = 4096
9  <... pwrite64 resumed>) = 4096
`;
    expect(countSyncs(trace)).toEqual({ syncs: 0, synchronous_writes: 1 });
  });
});
