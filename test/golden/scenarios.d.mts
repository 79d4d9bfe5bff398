import type { defineWorkflow, ExecutionDocument, Runtime, Workflow } from '../../src/runtime/index.js';

interface NodeEnd {
  readonly status: string;
  readonly attempts: number;
  readonly output?: unknown;
}

interface Scenario {
  readonly id: string;
  readonly workflow: Workflow;
  /** Absent when nothing can be done with it: it has ended, or goes on by itself. */
  readonly goOn?: (runtime: Runtime) => Promise<unknown>;
  readonly ends: { readonly status: string } & Readonly<Record<string, NodeEnd | string>>;
}

export interface BriefDocument {
  readonly status: string;
  readonly nodes: Readonly<Record<string, NodeEnd>>;
}

export function briefly(document: ExecutionDocument): BriefDocument;
export function scenarios(
  define: typeof defineWorkflow,
  format: number,
  isWriting: boolean,
): { readonly all: readonly Scenario[] };
