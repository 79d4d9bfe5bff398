import { ForgetfulMap } from '../base/forgetful-map.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { Deferred } from './deferred.js';
import { executionResult } from './document.js';
import { ExecutionHandle, type HandleHost } from './handle.js';
import type { ExecutionResult } from './types.js';

/** The open results of the executions of a runtime, and the handles that users hold on them. */
export class Results {
  private readonly open = new ForgetfulMap<string, Deferred<ExecutionResult>>();
  /** Weak: an execution that nobody looks at costs no more than its promise. */
  private readonly handles = new ForgetfulMap<string, WeakRef<ExecutionHandle>>();

  constructor(private readonly host: HandleHost) {}

  /** Whether the execution still has a result to come. */
  isOpen(executionId: string): boolean {
    return this.open.has(executionId);
  }

  /** The handle of an execution that runs here, or will. */
  handle(executionId: string, workflowId: string): ExecutionHandle {
    const known = this.handles.get(executionId)?.deref();
    if (known !== undefined) return known;
    let deferred = this.open.get(executionId);
    if (deferred === undefined) this.open.set(executionId, (deferred = new Deferred()));
    const handle = new ExecutionHandle(executionId, workflowId, deferred.promise, this.host);
    this.handles.set(executionId, new WeakRef(handle));
    return handle;
  }

  /** The execution is at rest: its result is told, its last state stays with its handle. */
  settle(execution: ActiveExecution): void {
    const { record, definition, engine } = execution;
    this.handles.get(record.executionId)?.deref()?.keep(execution);
    this.close(record.executionId)?.resolve(executionResult(record, definition, engine.state));
  }

  fail(executionId: string, error: unknown): void {
    this.close(executionId)?.reject(error);
  }

  failAll(error: unknown): void {
    for (const id of this.open.keys()) this.fail(id, error);
  }

  private close(executionId: string): Deferred<ExecutionResult> | undefined {
    const deferred = this.open.get(executionId);
    this.open.delete(executionId);
    this.handles.delete(executionId);
    return deferred;
  }
}
