import { expect } from 'vitest';
import {
  defineWorkflow,
  linearWorkflow,
  parallelWorkflow,
  workflowFromDocument,
  workflowToDocument,
} from '../../src/spec/index.js';

const execute = () => null;

function chain() {
  return defineWorkflow({ id: 'chain' })
    .node('1', { execute })
    .node('2', { execute, dependsOn: ['1'] })
    .node('3', { execute, dependsOn: ['2'] })
    .edge('1', '2')
    .edge('2', '3');
}

/** The scenarios about building and ordering workflows, by id. */
export const GRAPH_SCENARIOS: Record<string, () => void> = {
  MS01() {
    const workflow = defineWorkflow({ id: 'empty', name: 'Only a name' });
    expect(workflow.name).toBe('Only a name');
    expect([workflow.nodes, workflow.edges, workflow.executionOrder()]).toEqual([[], [], []]);
  },
  MS02() {
    const workflow = defineWorkflow({ id: 'one' }).node('only', { type: 'phase', execute });
    expect(workflow.nodes).toEqual(['only']);
    expect(workflow.executionOrder()).toEqual([['only']]);
    expect(workflow.toSpec().nodes).toMatchObject([{ id: 'only', type: 'phase' }]);
  },
  MS03() {
    const workflow = defineWorkflow({ id: 'two' }).node('1', { execute }).node('2', { execute });
    expect(workflow.edges).toEqual([]);
    workflow.edge('1', '2');
    expect(workflow.edges).toEqual([{ from: '1', to: '2' }]);
    expect(workflow.predecessors('2')).toEqual(['1']);
  },
  MS04() {
    expect(() => chain().edge('3', '1')).toThrow(/cycle/);
  },
  MS05() {
    expect(chain().executionOrder()).toEqual([['1'], ['2'], ['3']]);
  },
  MS06() {
    const diamond = defineWorkflow({ id: 'diamond' })
      .node('1', { execute })
      .node('2', { execute, dependsOn: ['1'] })
      .node('3', { execute, dependsOn: ['1'] })
      .node('4', { execute, dependsOn: ['2', '3'] });
    expect(diamond.executionOrder().map((group) => group.sort())).toEqual([['1'], ['2', '3'], ['4']]);
  },
  MS07() {
    const answers = [[], ['1'], ['1', '2'], ['1', '2', '3']].map((completed) =>
      chain().readyNodes(completed),
    );
    expect(answers).toEqual([['1'], ['2'], ['3'], []]);
  },
  MS08() {
    const workflow = defineWorkflow({ id: 'two', name: 'Two' })
      .node('1', { run: 'true' })
      .node('2', { run: 'true', dependsOn: ['1'] })
      .build();
    const { spec } = workflowFromDocument(workflowToDocument(workflow));
    expect(spec.workflow).toMatchObject({ id: 'two', name: 'Two' });
    expect(spec.nodes.map((node) => node.id)).toEqual(['1', '2']);
    expect(spec.nodes[1].dependencies).toEqual(['1']);
  },
  MS20() {
    const phases = ['plan', 'code', 'ship'];
    const workflow = linearWorkflow(() => ({ execute }), { phases });
    expect(workflow.nodes).toEqual(phases.map((phase) => `phase_${phase}`));
    expect(workflow.executionOrder()).toEqual(phases.map((phase) => [`phase_${phase}`]));
    expect(workflow.build().spec.workflow.metadata).toMatchObject({ type: 'linear' });
  },
  MS21() {
    const workflow = parallelWorkflow(() => ({ execute }));
    expect(workflow.nodes).toHaveLength(6);
    expect(workflow.executionOrder()).toEqual([
      ['phase_requirement_analysis'],
      ['phase_design'],
      ['phase_backend_development', 'phase_frontend_development'],
      ['phase_testing'],
      ['phase_review'],
    ]);
    expect(workflow.build().spec.workflow.metadata).toMatchObject({ type: 'parallel' });
  },
};
