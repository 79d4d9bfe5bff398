import { seededRandom, type Random } from '../base/random.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { Pool } from '../pool/index.js';
import { LocalRuntime } from '../runtime/local-runtime.js';
import { settingsOf } from '../runtime/options.js';
import type { RuntimeOptions } from '../runtime/types.js';
import type { Workflow } from '../spec/index.js';
import type { Kv } from '../store/kv.js';
import type { LogPlace } from '../store/log-files.js';
import { LoggedKv } from '../store/logged-kv.js';
import { openStore } from '../store/open.js';
import { TimedKv } from '../store/timed-kv.js';
import type { ProcessIdentity, Processes } from '../store/process-identity.js';
import type { DiskUser } from './disk.js';
import { SimulatedClock, type Timeline } from './timeline.js';

/** A simulated world has no files unless it is given a folder: what never exists takes no real time to be looked at. */
export const NOWHERE = '/dev/null/artifacts';

/** Processes here do not live long. */
const LOG_AFTER = 2;

type ProcessOptions = Pick<
  RuntimeOptions,
  | 'mode'
  | 'durability'
  | 'concurrency'
  | 'queues'
  | 'maxActiveExecutions'
  | 'retries'
  | 'recoverEveryMs'
  | 'retention'
  | 'artifactRoot'
>;

/** What a process of a world is made of. */
export interface BootOptions<P extends Pool> extends ProcessOptions {
  readonly seed: number;
  readonly workflows: readonly Workflow[];
  readonly graceMs: number;
  /** The disk, as this process opens it. */
  readonly openDisk: (user: DiskUser) => Kv;
  /** Logs of commits beside it. Default: there are none. */
  readonly openLogs?: (user: DiskUser) => LogPlace;
  readonly poolOf: (process: { clock: SimulatedClock; random: Random; name: string }) => P;
  readonly onEvent?: (event: ExecutionEvent) => void;
  /** How soon requests of other processes are seen. Default: as ever. */
  readonly inboxEveryMs?: number;
  /** false: what dead processes left behind is left alone. */
  readonly recover?: boolean;
}

/** A simulated process: a whole runtime, real but for its clock, pool and disk. */
export class SimulatedProcess<P extends Pool = Pool> implements DiskUser {
  alive = true;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly dead: Promise<string>;
  pool!: P;
  /** Set once it has started. */
  runtime: LocalRuntime | null = null;
  private tellDeath!: (why: string) => void;

  constructor(
    readonly name: string,
    readonly pid: number,
    timeline: Timeline,
    seed: number,
  ) {
    this.clock = new SimulatedClock(timeline, () => this.alive);
    this.random = seededRandom(seed);
    this.dead = new Promise((resolve) => (this.tellDeath = resolve));
  }

  /** As by SIGKILL: nothing of it happens any more. */
  die(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.tellDeath(why);
  }
}

/** The processes of a simulated machine: which of them live, and which are taken for dead although they do. */
export class World {
  private readonly living = new Map<number, DiskUser>();
  private readonly believedDead = new Set<number>();
  private lastPid = 0;

  constructor(readonly timeline: Timeline) {}

  /** From now on the others take this process for dead. */
  misjudge(pid: number): void {
    this.believedDead.add(pid);
  }

  /** Begins a process. It is started by `start`: until then it only exists. */
  create<P extends Pool>(name: string, options: BootOptions<P>): SimulatedProcess<P> {
    const pid = ++this.lastPid;
    const process = new SimulatedProcess<P>(`${name}${pid}`, pid, this.timeline, options.seed + pid * 7919);
    this.living.set(pid, process);
    process.pool = options.poolOf(process);
    return process;
  }

  /** Opens the store and the runtime, and recovers what was left behind. @throws what opening a store throws */
  async start<P extends Pool>(process: SimulatedProcess<P>, options: BootOptions<P>): Promise<LocalRuntime> {
    const {
      openDisk,
      openLogs,
      poolOf: _poolOf,
      onEvent,
      workflows,
      seed: _seed,
      graceMs,
      recover,
      inboxEveryMs,
      ...rest
    } = options;
    const { clock, random } = process;
    const processes = this.processesFor(process.pid);
    const place = openLogs?.(process);
    const kv =
      place === undefined
        ? openDisk(process)
        : await openLogged(openDisk(process), { clock, place, processes });
    const defaults = settingsOf({
      ...{ artifactRoot: NOWHERE, ...rest },
      ...{ store: kv, clock, random, pool: { graceMs } },
    });
    const settings = {
      ...defaults,
      inboxEveryMs: inboxEveryMs ?? defaults.inboxEveryMs,
      processes,
    };
    const store = await openStore(kv, clock);
    const tell = (event: ExecutionEvent): void => {
      if (process.alive) onEvent?.(event);
    };
    const runtime = new LocalRuntime(store, process.pool, settings, workflows, tell);
    process.runtime = runtime;
    if (recover !== false) await runtime.recoverInterrupted();
    return runtime;
  }

  private processesFor(pid: number): Processes {
    return {
      current: () => identity(pid),
      isAlive: (owner) =>
        this.living.get(owner.pid)?.alive === true &&
        (owner.pid === pid || !this.believedDead.has(owner.pid)),
      retired: new Set(),
    };
  }
}

/** As on a real disk, no write takes for ever. */
async function openLogged(
  disk: Kv,
  { clock, place, processes }: { clock: SimulatedClock; place: LogPlace; processes: Processes },
): Promise<Kv> {
  const process = processes.current();
  const isAlive = (owner: ProcessIdentity): boolean => processes.isAlive(owner);
  const options = { clock, place, process, isAlive, withoutLog: LOG_AFTER };
  const kv = new LoggedKv(new TimedKv(disk, clock), options);
  await kv.absorbDead();
  return kv;
}

function identity(pid: number): ProcessIdentity {
  return { pid, processStart: `${pid}@simulated`, bootId: 'simulated', hostname: 'simulated' };
}
