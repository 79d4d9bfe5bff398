/**
 * The catalogue of every error code. A code is stable across releases; its text is not.
 * `exit` is the exit code the command ends with (0 success, 1 workflow failed or input invalid, 2 usage or
 * environment, 130 interrupted). `retriable` says whether the same call can succeed later without a change.
 */
export const ERROR_CODES = {
  // Input
  SPEC_NOT_FOUND: {
    exit: 1,
    retriable: false,
    next: 'Check the path; specs end in .yaml, .yml, .json or .json.gz.',
  },
  SPEC_UNREADABLE: {
    exit: 1,
    retriable: false,
    next: 'Check that the file is readable and not larger than the limit.',
  },
  SPEC_SYNTAX: { exit: 1, retriable: false, next: 'Fix the syntax at the place named.' },
  SPEC_INVALID: { exit: 1, retriable: false, next: 'Fix every problem listed, then run `maestro validate`.' },
  CYCLE: { exit: 1, retriable: false, next: 'Remove one of the dependencies named.' },
  CONTEXT_INVALID: { exit: 1, retriable: false, next: 'Give the context as a JSON object.' },
  STEP_NOT_FOUND: { exit: 1, retriable: false, next: 'Check the module path and the export name in `uses`.' },
  EXECUTOR_MISSING: {
    exit: 1,
    retriable: false,
    next: 'Pass the workflow with its functions, or use `uses`/`run`.',
  },
  SNAPSHOT_CORRUPT: {
    exit: 1,
    retriable: false,
    next: 'Export again, or get another copy; nothing was imported.',
  },
  SNAPSHOT_VERSION: {
    exit: 1,
    retriable: false,
    next: 'Use the release of maestro-dag that wrote it, or a newer one.',
  },
  DEFINITION_CHANGED: {
    exit: 1,
    retriable: false,
    next: 'Without --spec the execution goes on with the definition that it has; `maestro migrate` changes that.',
  },
  MIGRATION_REFUSED: {
    exit: 1,
    retriable: false,
    next: 'Leave what has begun as it was, or start a new execution; `maestro migrate --dry-run` tells all of it.',
  },
  // Steps
  STEP_FAILED: {
    exit: 1,
    retriable: true,
    next: 'Read the error of the node; `maestro retry` runs it again.',
  },
  STEP_TIMEOUT: {
    exit: 1,
    retriable: true,
    next: 'Raise timeout_seconds, or find out why the step is slow.',
  },
  STEP_HEARTBEAT: {
    exit: 1,
    retriable: true,
    next: 'Call heartbeat() more often or raise heartbeat_timeout_seconds.',
  },
  NODE_TIMEOUT: {
    exit: 1,
    retriable: true,
    next: 'Raise total_timeout_seconds, or give the node fewer or shorter attempts; `maestro retry` gives it all its time again.',
  },
  WORKFLOW_TIMEOUT: {
    exit: 1,
    retriable: true,
    next: 'Raise timeout_seconds of the workflow; `maestro retry` goes on and gives it all its time again.',
  },
  STEP_CANCELLED: { exit: 1, retriable: false, next: 'Nothing: the attempt was cancelled.' },
  COMMAND_FAILED: {
    exit: 1,
    retriable: true,
    next: 'Run the command by hand; its stderr is in the node error.',
  },
  WORKER_LOST: {
    exit: 1,
    retriable: true,
    next: 'Find what ends the worker in the step: process.exit, a native crash or memory; `isolation: process` keeps others out of it.',
  },
  OUTPUT_NOT_SERIALIZABLE: { exit: 1, retriable: false, next: 'Return plain JSON values from the step.' },
  OUTPUT_TOO_LARGE: {
    exit: 1,
    retriable: false,
    next: 'Write large data to a file and return it as an artifact.',
  },
  CONDITION_FAILED: { exit: 1, retriable: false, next: 'Fix the condition or the output it reads.' },
  CONTRACT_BREACHED: {
    exit: 1,
    retriable: true,
    next: 'Correct what the step returns at the path named, or amend the contract.',
  },
  CONTRACT_UNVERIFIED: {
    exit: 1,
    retriable: false,
    next: 'See what became of the contract with `maestro show`, and rerun the node that promises it.',
  },
  EXPRESSION_FAILED: { exit: 1, retriable: false, next: 'Fix the expression or the output it reads.' },
  MAP_LIST: {
    exit: 1,
    retriable: false,
    next: 'Fix the `map` expression or the output it reads: it must give a list, not too long a one.',
  },
  MAP_FAILED: {
    exit: 1,
    retriable: false,
    next: 'Fix what fails the items named, then `maestro retry`: it runs only those again. `max_failed` lets some fail.',
  },
  REVIEW_REJECTED: {
    exit: 1,
    retriable: false,
    next: 'Read the comment; `maestro retry` asks for the review again.',
  },
  SUBWORKFLOW_FAILED: {
    exit: 1,
    retriable: true,
    next: 'Look at the execution named with `maestro show`; `maestro retry` of its parent runs it anew.',
  },
  SUBWORKFLOW_CANCELLED: {
    exit: 1,
    retriable: false,
    next: 'Nothing, if it was meant; `maestro retry` of its parent runs the subworkflow anew.',
  },
  REPEAT_EXHAUSTED: {
    exit: 1,
    retriable: false,
    next: 'Raise `max` or `delay_seconds` of `repeat`, or correct `until`; `maestro retry` begins the loop anew.',
  },
  WAIT_EXPIRED: {
    exit: 1,
    retriable: true,
    next: 'Answer sooner, or give the wait a longer deadline or a default; `maestro retry` waits again.',
  },
  // Executions
  EXECUTION_NOT_FOUND: { exit: 1, retriable: false, next: 'List what is stored with `maestro list`.' },
  EXECUTION_EXISTS: { exit: 1, retriable: false, next: 'Choose another execution id.' },
  EXECUTION_STATE: { exit: 1, retriable: false, next: 'See its state with `maestro show <id>`.' },
  EXECUTION_OWNED: {
    exit: 1,
    retriable: true,
    next: 'Follow it with `maestro events <id> --follow`; steer it with pause or cancel.',
  },
  EXECUTION_STALE: {
    exit: 1,
    retriable: true,
    next: '`maestro retry <id>` runs it again from where it was.',
  },
  WATCHER_SLOW: {
    exit: 1,
    retriable: true,
    next: 'Watch again and read faster; what was missed is in the events of each execution.',
  },
  STRUCTURE_MISMATCH: {
    exit: 1,
    retriable: false,
    next: 'Go on with the workflow it was started with, or change its own: `maestro migrate`.',
  },
  SCHEDULE_NOT_FOUND: { exit: 1, retriable: false, next: 'List what is scheduled with `maestro schedule`.' },
  NODE_NOT_FOUND: { exit: 1, retriable: false, next: 'List the nodes with `maestro show <id>`.' },
  SIGNAL_UNKNOWN: {
    exit: 1,
    retriable: false,
    next: 'Send a signal that a node of the workflow waits for.',
  },
  PAYLOAD_INVALID: {
    exit: 1,
    retriable: false,
    next: 'Correct what is listed and send it again; nothing was changed.',
  },
  ARTIFACT_MISSING: {
    exit: 1,
    retriable: false,
    next: 'A step writes its artifacts before it returns their paths; `maestro artifacts <id> --verify` says what there is, and a rerun of the node makes it again.',
  },
  ARTIFACT_OUTSIDE: {
    exit: 1,
    retriable: false,
    next: 'Write artifacts into the folder that artifactDir() or MAESTRO_ARTIFACT_DIR names.',
  },
  ARTIFACT_CHANGED: {
    exit: 1,
    retriable: false,
    next: 'It is not what the node returned: rerun the node, or take the file from a backup.',
  },
  BENCH_FAILED: { exit: 2, retriable: true, next: 'Close what else runs on the machine, or measure less.' },
  // Service
  REQUEST_INVALID: { exit: 1, retriable: false, next: 'See /openapi.json for what the request must be.' },
  UNAUTHORIZED: { exit: 2, retriable: false, next: 'Send `authorization: Bearer <token>`.' },
  FORBIDDEN: { exit: 2, retriable: false, next: 'Use a token with the scope that is needed.' },
  NOT_FOUND: { exit: 1, retriable: false, next: 'See /openapi.json for what there is.' },
  RATE_LIMITED: { exit: 2, retriable: true, next: 'Ask less often.' },
  DRAINING: { exit: 2, retriable: true, next: 'Ask again in a few seconds.' },
  SERVICE_INSECURE: {
    exit: 2,
    retriable: false,
    next: 'Give tokens of 16 characters or more, or listen on 127.0.0.1 only.',
  },
  SERVICE_ADDRESS: { exit: 2, retriable: true, next: 'Choose another --port, or stop what listens there.' },
  // Environment
  USAGE: { exit: 2, retriable: false, next: 'See `maestro --help`.' },
  SNAPSHOT_FILE: { exit: 2, retriable: true, next: 'Check the path, its permissions and the free space.' },
  FILE_EXISTS: { exit: 2, retriable: false, next: 'Choose an empty folder, or pass --force.' },
  OUTCOMES_INVALID: {
    exit: 2,
    retriable: false,
    next: 'Correct what is listed: see "Simulating a workflow" in docs/simulate.md.',
  },
  CONFIG_CONFLICT: { exit: 2, retriable: false, next: 'Fix the option or environment variable named.' },
  STORE_UNAVAILABLE: {
    exit: 2,
    retriable: true,
    next: 'Check path, permissions and free space of the store.',
  },
  STORE_CORRUPT: { exit: 2, retriable: false, next: 'Move the store aside or restore it from a backup.' },
  STORE_VERSION: { exit: 2, retriable: false, next: 'Use the release of maestro-dag that wrote this store.' },
  STORE_COMMIT: {
    exit: 2,
    retriable: true,
    next: 'Check free disk space; executions resume on the next start.',
  },
  LEASE_LOST: {
    exit: 2,
    retriable: true,
    next: 'The executions go on in the process that took them over; create a new runtime here.',
  },
  STORE_CONFLICT: { exit: 2, retriable: true, next: 'Another process changed the same record; try again.' },
  RECORD_CORRUPT: { exit: 2, retriable: false, next: 'Restore the execution from a backup, or delete it.' },
  POOL_STOPPED: {
    exit: 2,
    retriable: true,
    next: 'Too many workers died; fix the step, then `maestro resume <id>`.',
  },
  RUNTIME_CLOSED: { exit: 2, retriable: false, next: 'Create a new runtime.' },
  RUNTIME_DIED: { exit: 2, retriable: true, next: 'Create a new runtime; executions resume from the store.' },
  // Bugs
  ILLEGAL_TRANSITION: {
    exit: 2,
    retriable: false,
    next: 'This is a bug in maestro-dag: please report it with this text.',
  },
  INVARIANT: {
    exit: 2,
    retriable: false,
    next: 'This is a bug in maestro-dag: please report it with this text.',
  },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
