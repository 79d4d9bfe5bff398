import type { ErrorDocument } from '../../../src/base/errors.js';
import type { NodeStatus, WorkflowStatus } from '../../../src/base/model.js';
import type { NodeStateDocument } from '../../../src/observe/events.js';
import type { ExecutionDocument } from '../../../src/runtime/types.js';

interface NodeShape {
  status: NodeStatus;
  seconds?: number;
  attempts?: number;
  output?: unknown;
}

interface DocumentShape {
  status: WorkflowStatus;
  seconds: number;
  nodes: Readonly<Record<string, NodeShape>>;
  failedNode?: string;
  error?: ErrorDocument;
  artifacts?: Record<string, string[]>;
}

const START = Date.parse('2026-01-01T00:00:00Z');
const iso = (seconds: number): string => new Date(START + seconds * 1000).toISOString();

/** A stored document as the runtime gives it, with what a test cares about. */
export function documentOf(shape: DocumentShape): ExecutionDocument {
  const ended = ['completed', 'failed', 'cancelled'].includes(shape.status);
  const states = Object.entries(shape.nodes).map(([id, node]): [string, NodeStateDocument] => [
    id,
    stateOf(id, node),
  ]);
  return {
    workflow_id: 'wf',
    workflow_name: 'wf',
    execution_id: 'e1',
    status: shape.status,
    mode: 'dag_parallel',
    interrupted: false,
    completed_nodes: states.filter(([, state]) => state.status === 'completed').length,
    total_nodes: states.length,
    progress_percent: 0,
    failed_node: shape.failedNode ?? null,
    error: shape.error ?? null,
    node_states: Object.fromEntries(states),
    node_outputs: {},
    artifacts: shape.artifacts ?? {},
    global_context: {},
    created_at: iso(0),
    updated_at: iso(shape.seconds),
    started_at: iso(0),
    completed_at: ended ? iso(shape.seconds) : null,
  };
}

function stateOf(id: string, node: NodeShape): NodeStateDocument {
  return {
    node_id: id,
    status: node.status,
    start_time: node.seconds === undefined ? null : iso(0),
    end_time: node.seconds === undefined ? null : iso(node.seconds),
    attempt_count: node.attempts ?? (node.seconds === undefined ? 0 : 1),
    error_message: null,
    output: node.output ?? null,
    artifacts: [],
    metadata: {},
  };
}
