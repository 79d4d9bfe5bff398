import { join } from 'node:path';
import {
  backupStore,
  createRuntime,
  defineWorkflow,
  exportToFile,
  importSnapshot,
  verifySnapshot,
  verifyStore,
} from '../../runtime/index.js';
import { expect } from './runner.js';

/** Export, import, verification, backup and collection of a store of its own. */
export async function tools(folder: string): Promise<string> {
  const store = `lmdb:${join(folder, 'store')}`;
  const workflow = defineWorkflow({ id: 'kept' })
    .node('only', { execute: () => ({ kept: true }) })
    .build();
  const runtime = await createRuntime({ store });
  try {
    await (
      await runtime.start(workflow, {}, { executionId: 'one' })
    ).result;
    const file = join(folder, 'all.ndjson.gz');
    await exportToFile(store, file);
    expect((await verifySnapshot(file)) === 1, 'the export does not hold the execution');
    const { imported } = await importSnapshot(`lmdb:${join(folder, 'other')}`, file);
    expect(imported.join() === 'one', 'the export could not be imported');
    const { executions } = await backupStore(store, join(folder, 'backup'));
    expect(executions === 1, 'the backup does not hold the execution');
    const { damage } = await verifyStore(store);
    expect(damage.length === 0, `damage: ${damage.map(({ problem }) => problem).join('; ')}`);
    const { deleted } = await runtime.collect({ keep: 0 });
    expect(deleted.length === 1, 'the execution could not be collected');
    return 'export, import, backup, verify, collect';
  } finally {
    await runtime.close();
  }
}
