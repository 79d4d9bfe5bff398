import { LEAF } from '../engine/columns.js';
import type { StepCall } from '../pool/index.js';
import type { RunningJob } from './running-job.js';

/** What the dependencies of a node gave, as JSON texts of objects. */
export type Inputs = Pick<StepCall, 'dependencyOutputs' | 'dependencyArtifacts'>;

/** What is not at hand has no text here. */
export const NO_TEXTS: ReadonlyMap<number, string> = new Map();

/**
 * What an attempt is given of its dependencies, as it is now. JSON texts are joined as text: the host never parses what passes
 * through it. An object that visits, because functions made for each attempt cost more.
 */
export class AttemptInputs implements Inputs {
  dependencyOutputs = '{';
  dependencyArtifacts = '{';
  /**
   * What must be read from the store before the attempt can be sent: nodes that it depends on, and itself, where that is for the
   * iteration before. null: nothing.
   */
  large: number[] | null = null;

  /** @param texts the outputs that have been read, by node */
  constructor(
    private readonly job: RunningJob,
    private readonly texts: ReadonlyMap<number, string>,
  ) {
    const { execution, node } = job;
    execution.definition.eachInput(node, this);
    this.dependencyOutputs += '}';
    this.dependencyArtifacts += '}';
    const { iterations } = execution.engine.state.columns;
    const before = iterations.size > 0 ? iterations.get(node) : undefined;
    if (before !== undefined && typeof before.output !== 'string') this.need(node);
  }

  visit(dependency: number): void {
    const { execution, given } = this.job;
    const { output, artifacts, leaf } = execution.engine.state.columns;
    if (leaf[dependency] !== LEAF.completed || given?.has(dependency) === false) return;
    const key = execution.definition.keyOf(dependency);
    const inline = output[dependency];
    const text = typeof inline === 'string' ? inline : this.need(dependency);
    this.dependencyOutputs += (this.dependencyOutputs === '{' ? key : `,${key}`) + text;
    const files = artifacts.get(dependency);
    if (files === undefined) return;
    const paths = key + JSON.stringify(files);
    this.dependencyArtifacts += this.dependencyArtifacts === '{' ? paths : `,${paths}`;
  }

  private need(node: number): string {
    const text = this.texts.get(node);
    if (text === undefined) (this.large ??= []).push(node);
    return text ?? 'null';
  }
}
