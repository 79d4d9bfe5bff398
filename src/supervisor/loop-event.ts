import type { ArtifactFile } from '../store/artifact-rows.js';
import type { EngineEvent } from '../engine/effects.js';
import type { JobOutcome } from '../pool/index.js';
import type { KvOp } from '../store/kv.js';
import type { ActiveExecution } from './active-execution.js';

/** Who waits for the turn that takes an event to be durable. */
interface Waiter {
  done(): void;
  failed(error: unknown): void;
}

/** What comes with an event into the same commit. */
interface Accompanied {
  readonly ops?: readonly KvOp[];
  readonly waiter?: Waiter;
}

/** What the loop takes in: facts about attempts by job, engine events, executions that come into memory. */
export type LoopEvent = Accompanied &
  (
    | {
        readonly kind: 'settled';
        readonly jobId: number;
        readonly outcome: JobOutcome;
        /** The artifacts of a success, once they were read. */
        readonly files?: readonly ArtifactFile[];
        /** It was kept from a step like this one: what it was made from. */
        readonly cached?: string;
      }
    | { readonly kind: 'engine'; readonly execution: ActiveExecution; readonly event: EngineEvent }
    | {
        readonly kind: 'adopt';
        readonly execution: ActiveExecution;
        readonly recover: boolean;
        readonly events: readonly EngineEvent[];
      }
    | { readonly kind: 'suspend' }
    | { readonly kind: 'commit' }
  );
