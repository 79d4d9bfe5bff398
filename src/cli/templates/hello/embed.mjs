// The same idea inside a program: a workflow of plain functions, and a runtime in this process.
// Run it with: node embed.mjs (needs `npm install maestro-dag`)
import { createRuntime, defineWorkflow } from 'maestro-dag';

const workflow = defineWorkflow({ id: 'hello-embedded', name: 'Hello, embedded' })
  .node('greet', { execute: ({ globalContext }) => ({ text: `Hello, ${globalContext.name}!` }) })
  .node('shout', {
    dependsOn: ['greet'],
    execute: ({ dependencyOutputs }) => ({ text: dependencyOutputs.greet.text.toUpperCase() }),
  })
  .build();

// `memory:` keeps nothing; leave `store` out, and executions survive the process in `.maestro`.
const runtime = await createRuntime({ store: 'memory:' });
try {
  const execution = await runtime.start(workflow, { name: 'world' });
  for await (const event of execution.events()) console.log(event.event_type, event.node_id ?? '');
  const { status } = await execution.result;
  const { node_outputs: outputs } = await runtime.get(execution.id);
  console.log(status, outputs.shout);
} finally {
  await runtime.close();
}
