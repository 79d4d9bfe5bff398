/** JSON Schemas of requests and answers: fastify validates by them, and the OpenAPI document is made of them. */

export const ID = { type: 'string', minLength: 1, maxLength: 255 } as const;
const TIME = { type: ['string', 'null'], format: 'date-time' } as const;
const OBJECT = { type: 'object', additionalProperties: true } as const;
const STATUS = {
  type: 'string',
  enum: ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'],
} as const;

export const ERROR = {
  type: 'object',
  description: 'What went wrong, and what to do',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        next: { type: 'string' },
        details: OBJECT,
        problems: { type: 'array', items: OBJECT },
      },
    },
  },
} as const;

export const STARTED = {
  type: 'object',
  description: 'The execution, stored and started',
  required: ['workflow_id', 'execution_id', 'status'],
  properties: { workflow_id: ID, execution_id: ID, status: STATUS },
} as const;

const NODE_STATE = {
  type: 'object',
  description: 'State of a node',
  required: ['node_id', 'status', 'attempt_count'],
  properties: {
    node_id: { type: 'string' },
    status: { type: 'string' },
    start_time: TIME,
    end_time: TIME,
    attempt_count: { type: 'integer' },
    error_message: { type: ['string', 'null'] },
    output: {},
    artifacts: { type: 'array', items: { type: 'string' } },
    metadata: OBJECT,
  },
} as const;

export const EXECUTION = {
  type: 'object',
  description: 'State of an execution',
  required: ['execution_id', 'workflow_id', 'status', 'completed_nodes', 'total_nodes', 'progress_percent'],
  properties: {
    execution_id: ID,
    workflow_id: ID,
    status: STATUS,
    interrupted: { type: 'boolean' },
    completed_nodes: { type: 'integer' },
    total_nodes: { type: 'integer' },
    progress_percent: { type: 'number' },
    node_states: { type: 'array', items: NODE_STATE },
    failed_node: { type: ['string', 'null'] },
    error: { type: ['object', 'null'], additionalProperties: true },
    started_at: TIME,
    completed_at: TIME,
  },
} as const;

export { NODE_STATE };

const LISTED = {
  type: 'object',
  required: ['execution_id', 'workflow_id', 'status', 'total_nodes', 'created_at'],
  properties: {
    execution_id: ID,
    workflow_id: ID,
    status: STATUS,
    completed_nodes: { type: 'integer' },
    total_nodes: { type: 'integer' },
    created_at: TIME,
    started_at: TIME,
    completed_at: TIME,
  },
} as const;

export const LISTING = {
  type: 'object',
  description: 'A page of executions, newest first',
  required: ['executions'],
  properties: {
    executions: { type: 'array', items: LISTED },
    next: { type: 'string', description: 'Give it as `after` for the next page' },
  },
} as const;

const LOG = {
  type: 'object',
  description: 'What one attempt of a node wrote',
  required: ['node_id', 'attempt', 'run', 'began_at', 'written_chars', 'dropped_chars', 'entries'],
  properties: {
    node_id: { type: 'string' },
    attempt: { type: 'integer' },
    run: { type: 'integer' },
    began_at: { type: 'string', format: 'date-time' },
    written_chars: { type: 'integer' },
    dropped_chars: { type: 'integer', description: 'Cut from the middle of what was written' },
    entries: {
      type: 'array',
      items: {
        type: 'object',
        required: ['stream', 'time', 'offset', 'text'],
        properties: {
          stream: { type: 'string', enum: ['stdout', 'stderr'] },
          time: { type: 'string', format: 'date-time' },
          offset: { type: 'integer', description: 'Characters written before it, to both streams' },
          text: { type: 'string' },
        },
      },
    },
  },
} as const;

export const LOG_PAGE = {
  type: 'object',
  description: 'A page of logs, in the order of nodes and attempts',
  required: ['execution_id', 'status', 'logs'],
  properties: {
    execution_id: ID,
    status: STATUS,
    logs: { type: 'array', items: LOG },
    next: { type: 'string', description: 'Give it as `after` for the next page' },
  },
} as const;

export const ARTIFACTS = {
  type: 'object',
  description: 'The files that nodes returned, of the last run of each',
  required: ['execution_id', 'artifacts'],
  properties: {
    execution_id: ID,
    artifacts: {
      type: 'array',
      items: {
        type: 'object',
        required: ['artifact_id', 'node_id', 'path', 'type', 'size_bytes', 'checksum', 'state'],
        properties: {
          artifact_id: { type: 'string' },
          node_id: { type: 'string' },
          path: { type: 'string' },
          type: { type: 'string', description: 'Media type, by the end of its name' },
          size_bytes: { type: 'integer' },
          checksum: { type: 'string', description: 'SHA-256, hexadecimal' },
          state: { type: 'string', enum: ['stored', 'missing', 'outside'] },
          metadata: OBJECT,
          verified: { type: 'string', enum: ['ok', 'missing', 'changed', 'outside'] },
        },
      },
    },
  },
} as const;

const REVIEW = {
  type: 'object',
  required: ['execution_id', 'workflow_id', 'node_id', 'asked_at'],
  properties: {
    execution_id: ID,
    workflow_id: ID,
    workflow_name: { type: 'string' },
    node_id: { type: 'string' },
    node_name: { type: 'string' },
    instructions: { type: ['string', 'null'] },
    assignees: { type: 'array', items: { type: 'string' } },
    response_schema: { type: ['object', 'null'], additionalProperties: true },
    asked_at: TIME,
    deadline: TIME,
    default: { type: ['object', 'null'], additionalProperties: true },
    comments: { type: 'array', items: OBJECT },
  },
} as const;

export const REVIEWS = {
  type: 'object',
  description: 'A page of open reviews',
  required: ['reviews'],
  properties: {
    reviews: { type: 'array', items: REVIEW },
    next: { type: 'string', description: 'Give it as `after` for the next page' },
  },
} as const;

export const SIGNALLED = {
  type: 'object',
  description: 'The signal, kept until a node takes it',
  required: ['execution_id', 'name', 'signal_id'],
  properties: { execution_id: ID, name: { type: 'string' }, signal_id: { type: ['string', 'null'] } },
} as const;

export const EXECUTION_PARAMS = {
  type: 'object',
  required: ['execution_id'],
  properties: { execution_id: ID },
} as const;

export const EVENT_ID = { type: 'string', pattern: '^\\d{1,15}-\\d{1,15}$' } as const;

const EVENT = {
  type: 'object',
  description: 'An event',
  required: ['event_type', 'workflow_id', 'execution_id', 'timestamp', 'data'],
  properties: {
    event_id: EVENT_ID,
    event_type: { type: 'string' },
    workflow_id: ID,
    execution_id: ID,
    node_id: { type: 'string' },
    timestamp: { type: 'string', format: 'date-time' },
    data: OBJECT,
  },
} as const;

export const EVENTS_PAGE = {
  type: 'object',
  description: 'A page of events, oldest first',
  required: ['events', 'last_event_id', 'more'],
  properties: {
    events: { type: 'array', items: EVENT },
    last_event_id: { type: ['string', 'null'], description: 'Give it as `last_event_id` for the next page' },
    more: { type: 'boolean', description: 'More events are stored' },
  },
} as const;

export const DOCUMENT = { ...OBJECT, description: 'The stored document' } as const;

/** The answers every route may give besides its own. */
export function responses(success: Record<number, object>): Record<string, object> {
  return { ...success, '4xx': ERROR, '5xx': ERROR };
}

const MOMENT = { type: 'string', format: 'date-time' } as const;

export const SCHEDULE = {
  type: 'object',
  description: 'A workflow that starts by itself',
  required: ['workflow_id', 'cron', 'timezone', 'catch_up', 'overlap', 'paused', 'next'],
  properties: {
    workflow_id: ID,
    workflow_name: { type: 'string' },
    cron: { type: 'string' },
    timezone: { type: 'string' },
    catch_up: { type: 'string', enum: ['none', 'latest', 'all'] },
    overlap: { type: 'string', enum: ['skip', 'buffer_one', 'cancel_other', 'allow_all'] },
    paused: { type: 'boolean' },
    created_at: MOMENT,
    next: { type: 'array', items: MOMENT },
    last: {
      type: ['object', 'null'],
      description: 'The newest execution that was started, and for which time',
      properties: { scheduled_at: MOMENT, execution_id: ID },
    },
    buffered_at: TIME,
    skipped_at: TIME,
  },
} as const;

export const SCHEDULES = {
  type: 'object',
  description: 'Schedules by workflow id',
  required: ['schedules'],
  properties: { schedules: { type: 'array', items: SCHEDULE } },
} as const;
