import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isMaestroError } from '../../src/base/errors.js';
import {
  childWorkflowOf,
  defineWorkflow,
  loadWorkflowFile,
  validateSpec,
  workflowFromSpec,
} from '../../src/spec/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { step } from './step-node.js';

const tempDir = tempDirs('maestro-subworkflows');

/** Files by name, as YAML. @returns the path of `parent.yaml` */
function files(texts: Record<string, string>): string {
  const folder = tempDir();
  mkdirSync(join(folder, 'sub'));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
  return join(folder, 'parent.yaml');
}

const workflow = (id: string, ...nodes: string[]): string =>
  [`workflow: { id: ${id}, name: ${id} }`, 'nodes:', ...nodes.map((node) => `  - { ${node} }`)].join('\n');
const leaf = (id: string): string => workflow(id, `id: a, name: A, type: custom, run: 'true'`);
const runs = (file: string, more = ''): string =>
  `id: s, name: S, type: subworkflow, workflow: ${file}${more}`;

async function problemsOf(path: string): Promise<string[]> {
  try {
    return (await loadWorkflowFile(path)).warnings.map(({ message }) => message);
  } catch (error) {
    if (!isMaestroError(error)) throw error;
    return error.problems.map(
      ({ file, line, message }) => `${file?.slice(path.lastIndexOf('/') + 1)}:${line} ${message}`,
    );
  }
}

describe('a workflow that runs others', () => {
  it('is one definition with them, however they are nested, and knows their folders', async () => {
    const path = files({
      'parent.yaml': workflow(
        'p',
        runs('./sub/middle.yaml'),
        runs('./sub/middle.yaml').replace('id: s', 'id: t'),
      ),
      'sub/middle.yaml': workflow(
        'm',
        runs('../inner.yaml'),
        `id: a, name: A, type: custom, uses: ./x.mjs#x, dependencies: [s]`,
      ),
      'sub/x.mjs': 'export const x = () => 1;',
      'inner.yaml': leaf('i'),
    });
    const { workflow: parent, warnings } = await loadWorkflowFile(path);
    expect(warnings).toMatchObject([{ code: 'DISCONNECTED' }]);
    const [s, t] = parent.spec.nodes;
    expect(s.definition).toMatch(/^[0-9a-f]{64}$/);
    expect(t.definition).toBe(s.definition);
    expect(Object.keys(parent.spec.subworkflows!)).toEqual([s.definition]);
    const middle = childWorkflowOf(parent, s)!;
    expect(middle).toMatchObject({ baseDir: join(path, '..', 'sub'), spec: { workflow: { id: 'm' } } });
    const inner = childWorkflowOf(middle, middle.spec.nodes[0])!;
    expect(inner).toMatchObject({ baseDir: join(path, '..'), spec: { workflow: { id: 'i' } } });
    // As the store has it: whole, and the same.
    const again = workflowFromSpec(parent.spec, { baseDir: parent.baseDir });
    expect(again.definitionHash).toBe(parent.definitionHash);
    expect(again.spec).toEqual(parent.spec);
  });

  it('is another definition when one of them changes', async () => {
    const hashOf = async (inner: string): Promise<string> => {
      const path = files({ 'parent.yaml': workflow('p', runs('./inner.yaml')), 'inner.yaml': inner });
      return (await loadWorkflowFile(path)).workflow.definitionHash;
    };
    expect(await hashOf(leaf('i'))).toBe(await hashOf(leaf('i')));
    expect(await hashOf(leaf('i'))).not.toBe(await hashOf(leaf('j')));
  });

  it.each<[string, Record<string, string>, (string | RegExp)[]]>([
    [
      'a file that is not there',
      { 'parent.yaml': workflow('p', runs('./nope.yaml')) },
      [/^parent\.yaml:3 node "s" runs a workflow that is not usable: there is no file .*nope\.yaml$/],
    ],
    [
      'a file with mistakes, which are named where they are',
      {
        'parent.yaml': workflow('p', runs('./i.yaml')),
        'i.yaml': workflow('i', 'id: a, name: A, type: custom'),
      },
      [
        /^parent\.yaml:3 .*not usable: .*i\.yaml:3:5: node "a" has no executor/,
        /^i\.yaml:3 node "a" has no executor/,
      ],
    ],
    [
      'files that run each other',
      { 'parent.yaml': workflow('p', runs('./i.yaml')), 'i.yaml': workflow('i', runs('./parent.yaml')) },
      [
        /^parent\.yaml:3 /,
        'i.yaml:3 node "s" runs a workflow that is not usable: workflow files run each other: parent.yaml → i.yaml → parent.yaml',
      ],
    ],
    [
      'a file that runs itself',
      { 'parent.yaml': workflow('p', runs('./parent.yaml')) },
      [/workflow files run each other: parent\.yaml → parent\.yaml$/],
    ],
    [
      'expressions about what is not there',
      {
        'parent.yaml': workflow(
          'p',
          runs('./i.yaml', `, with: { x: ['\${outputs.zz.n}'] }, output: outputs.b`),
        ),
        'i.yaml': leaf('i'),
      },
      [
        'parent.yaml:3 "with" of node "s" reads the output of "zz", which is not a node',
        'parent.yaml:3 node "s" reads the output of "b", which the workflow "i" does not have',
      ],
    ],
  ])('is refused with %s', async (_, texts, expected) => {
    const problems = await problemsOf(files(texts));
    expect(problems).toHaveLength(expected.length);
    expected.forEach((each) =>
      expect(problems).toContainEqual(typeof each === 'string' ? each : expect.stringMatching(each)),
    );
  });

  it('is refused when it is nested too deeply', async () => {
    const texts = Object.fromEntries(
      Array.from({ length: 12 }, (_, k) => [
        `${k === 0 ? 'parent' : k}.yaml`,
        workflow(`w${k}`, runs(`./${k + 1}.yaml`)),
      ]),
    );
    expect((await problemsOf(files({ ...texts, '12.yaml': leaf('end') }))).join()).toContain(
      'workflows are nested in each other more than 8 deep',
    );
  });

  it.each<[string, object, string]>([
    ['no workflow', { type: 'subworkflow', run: undefined }, 'is a subworkflow without "workflow"'],
    [
      'something to execute',
      { type: 'subworkflow', workflow: './i.yaml' },
      '"run" belongs to the nodes of the workflow',
    ],
    ['another type', { workflow: './i.yaml' }, 'has "workflow", but its type is not subworkflow'],
    [
      'a definition that is not there',
      { type: 'subworkflow', run: undefined, definition: '0'.repeat(64) },
      'has a "definition" that is not among "subworkflows"',
    ],
  ])('is refused with %s', (_, more, message) => {
    const { problems } = validateSpec({ workflow: { id: 'w', name: 'w' }, nodes: [step('a', more)] });
    expect(problems.map((problem) => problem.message).join()).toContain(message);
  });

  it('is the same from the builder, with a Workflow', () => {
    const inner = defineWorkflow({ id: 'i' })
      .node('a', { execute: () => 1 })
      .build({ baseDir: '/x/y' });
    const built = defineWorkflow({ id: 'p' })
      .node('s', { workflow: inner, with: { n: 1 }, output: 'outputs.a' })
      .build({ baseDir: '/x' });
    expect(built.spec.nodes).toEqual([
      {
        id: 's',
        name: 's',
        type: 'subworkflow',
        dependencies: [],
        definition: inner.definitionHash,
        workflow: 'y/',
        with: { n: 1 },
        output: 'outputs.a',
      },
    ]);
    expect(childWorkflowOf(built, built.spec.nodes[0])).toBe(inner);
    // Without its functions it is known all the same.
    const { spec, baseDir, definitionHash } = built;
    const bare = { spec, baseDir, definitionHash, functions: new Map<string, never>() };
    expect(childWorkflowOf(bare, spec.nodes[0])).toMatchObject({
      baseDir: '/x/y',
      definitionHash: inner.definitionHash,
    });
  });
});
