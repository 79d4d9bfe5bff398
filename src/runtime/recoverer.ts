import type { Logger } from '../observe/logger.js';
import type { Clock } from '../base/clock.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definitions } from './definitions.js';
import type { Ownership } from './ownership.js';
import { takeOverInterrupted, warnOnce, type Recovered } from './recovery.js';
import type { Residents } from './residents.js';
import type { Results } from './results.js';
import type { Steering } from './steering.js';

interface RecovererHost {
  readonly store: ExecutionStore;
  readonly ownership: Ownership;
  readonly definitions: Definitions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly steering: Pick<Steering, 'inTurn'>;
  readonly results: Results;
  readonly residents: Residents;
  /** An execution was taken over and is on its way here. */
  readonly taken: (record: ExecutionRecord) => void;
}

/** Takes over what dead processes have left behind: one pass at a time. */
export class Recoverer {
  /** Executions that were found not to be resumable here: said once. */
  private readonly unresumable = new Set<string>();
  private underWay: Promise<readonly Recovered[]> | null = null;

  constructor(private readonly host: RecovererHost) {}

  recover(): Promise<readonly Recovered[]> {
    return (this.underWay ??= this.takeOver().finally(() => (this.underWay = null)));
  }

  /** Resolves when the pass under way is over; undefined when there is none. */
  get pass(): Promise<unknown> | undefined {
    return this.underWay?.catch(() => {});
  }

  private async takeOver(): Promise<readonly Recovered[]> {
    const { logger, steering, results, residents, taken } = this.host;
    const recovered = await takeOverInterrupted({
      ...this.host,
      inTurn: (executionId, work) => steering.inTurn(executionId, work),
      taken: (record) => {
        const { executionId, workflowId } = record;
        const fields = { execution_id: executionId, workflow_id: workflowId };
        logger.info(fields, `Resuming workflow execution ${executionId}`);
        results.handle(executionId, workflowId);
        residents.receive(record);
        taken(record);
      },
    });
    warnOnce(recovered, this.unresumable, logger);
    return recovered;
  }
}
