/** Contracts that were checked: one kept, one breached that only warns. */
export function contractsScenario(defineWorkflow, start) {
  return {
    id: 'contracts',
    workflow: defineWorkflow({
      id: 'contracts',
      contracts: [
        { id: 'number', schema: { required: ['n'] } },
        { id: 'small', severity: 'warning', schema: { properties: { n: { maximum: 0 } } } },
      ],
    })
      .node('a', { outputContracts: ['number', 'small'], execute: () => ({ n: 1 }) })
      .node('b', { dependsOn: ['a'], inputContracts: ['number'], execute: () => ({ n: 2 }) })
      .build(),
    write: start,
    ends: {
      status: 'completed',
      a: { status: 'completed', attempts: 1, output: { n: 1 } },
      b: { status: 'completed', attempts: 1, output: { n: 2 } },
    },
  };
}
