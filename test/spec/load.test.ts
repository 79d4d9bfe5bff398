import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MaestroError } from '../../src/base/errors.js';
import { loadWorkflowFile, parseWorkflow } from '../../src/spec/index.js';

const FIXTURES = `${import.meta.dirname}/../fixtures/specs`;
const folder = mkdtempSync(join(tmpdir(), 'maestro-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = {
  workflow: { id: 'w', name: 'W' },
  nodes: [{ id: 'a', name: 'A', type: 'custom', run: 'true' }],
};

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function failure(path: string): Promise<MaestroError> {
  const error: unknown = await loadWorkflowFile(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MaestroError);
  return error as MaestroError;
}

describe('loading files', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'folder.yaml'), { recursive: true });
    write('plain.json', JSON.stringify(GOOD));
    write('binary.yaml', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0]));
    write('latin1.json', Buffer.from([0x22, 0xe4, 0x22]));
    write('bomb.yaml.gz', gzipSync(Buffer.alloc(20 * 2 ** 20, ' ')));
    write('broken.json.gz', gzipSync('{}').subarray(0, 12));
    write('large.yaml', Buffer.alloc(16 * 2 ** 20 + 1, ' '));
    write('blank.json', ' \n ');
  });

  it('reads YAML with anchors, edges and conditions into normal form', async () => {
    const { workflow, warnings } = await loadWorkflowFile(`${FIXTURES}/good.yaml`);
    expect(warnings).toEqual([]);
    expect(workflow.baseDir).toBe(resolve(FIXTURES));
    expect(workflow.spec.nodes.map((node) => [node.id, node.dependencies])).toEqual([
      ['collect', []],
      ['check', ['collect']],
      ['report', ['collect', 'check']],
    ]);
    expect(workflow.spec.nodes[1].retry_policy).toEqual({
      max_attempts: 3,
      retry_delay_seconds: 0.5,
      jitter: 'full',
    });
    expect(workflow.definitionHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reads JSON and gzipped files, with or without byte order mark, to the same workflow', async () => {
    const text = JSON.stringify(GOOD);
    const paths = [
      write('plain.json', text),
      write('bom.json', `\ufeff${text}`),
      write('packed.json.gz', gzipSync(text)),
      write('packed.YML.GZ', gzipSync(text)),
    ];
    const hashes = await Promise.all(
      paths.map(async (path) => (await loadWorkflowFile(path)).workflow.definitionHash),
    );
    expect(new Set(hashes).size).toBe(1);
  });

  it.each([
    ['nowhere.yaml', 'SPEC_NOT_FOUND', /there is no file/],
    ['workflow.toml', 'SPEC_UNREADABLE', /not a workflow file by its name/],
    ['folder.yaml', 'SPEC_UNREADABLE', /is a folder/],
    ['binary.yaml', 'SPEC_UNREADABLE', /is not UTF-8 text/],
    ['latin1.json', 'SPEC_UNREADABLE', /is not UTF-8 text/],
    ['bomb.yaml.gz', 'SPEC_UNREADABLE', /larger than the limit of 16 MiB/],
    ['broken.json.gz', 'SPEC_UNREADABLE', /not whole gzip data/],
    ['large.yaml', 'SPEC_UNREADABLE', /larger than the limit/],
    ['blank.json', 'SPEC_SYNTAX', /empty/],
    ['plain.json/x.yaml', 'SPEC_NOT_FOUND', /there is no file/],
  ])('%s: %s', async (name, code, message) => {
    const error = await failure(join(folder, name));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.skipIf(process.getuid?.() === 0)('says when permission is denied', async () => {
    const path = write('secret.yaml', 'workflow: {}');
    chmodSync(path, 0);
    expect(await failure(path)).toMatchObject({ code: 'SPEC_UNREADABLE', message: /permission denied/ });
  });

  it.each([
    ['broken.yaml', 4, 1],
    ['broken.json', 3, 18],
    ['duplicate-key.yaml', 1, 35],
    ['duplicate-key.json', 2, 18],
  ])('%s: SPEC_SYNTAX at line %d, column %d', async (name, line, column) => {
    const error = await failure(`${FIXTURES}/${name}`);
    expect(error.code).toBe('SPEC_SYNTAX');
    expect(error.message).toContain(`${name}:${line}:${column}: `);
    expect(error.problems).toMatchObject([{ line, column, file: `${FIXTURES}/${name}` }]);
  });
});

describe('hostile texts', () => {
  const yaml = (text: string) => () => parseWorkflow(text, { format: 'yaml' });
  const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;

  it('stops alias bombs', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
    );
    expect(yaml(`a0: &a0 [x, x, x, x, x, x, x, x, x]\n${levels.join('\n')}`)).toThrow(code('SPEC_SYNTAX'));
  });

  it('stops nesting that overflows the parser, and aliases of themselves', () => {
    expect(yaml('['.repeat(100_000))).toThrow(code('SPEC_SYNTAX'));
    expect(yaml('workflow: &a { metadata: *a }')).toThrow(MaestroError);
    const deep = `{"workflow":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(() => parseWorkflow(deep, { format: 'json' })).toThrow(code('SPEC_INVALID'));
  });

  it('refuses several documents in one file', () => {
    expect(yaml('a: 1\n---\nb: 2')).toThrow(code('SPEC_SYNTAX'));
  });

  it('throws nothing but its own errors, whatever the text', () => {
    const fragment = fc.constantFrom(
      'workflow:',
      'nodes:',
      '- id: a',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      '"',
      '*a',
      '&a ',
      '<<: ',
      '? ',
      '!!x ',
      '|',
      ',',
      ': ',
      '\u0000',
      '\ufeff',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join('')),
      fc.json(),
      fc.anything({ maxDepth: 4 }).map((nodes) => JSON.stringify({ workflow: GOOD.workflow, nodes }) ?? ''),
      fc.json({ maxDepth: 4 }).map((tasks) => `{"workflow":{"specification":{"tasks":[${tasks}]}}}`),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('yaml' as const, 'json' as const), (input, format) => {
        try {
          parseWorkflow(input, { format });
        } catch (error) {
          expect(error).toBeInstanceOf(MaestroError);
          expect((error as MaestroError).code).toMatch(/^(SPEC_|CYCLE)/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('throws nothing but its own errors, whatever the bytes', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array(),
        fc.constantFrom('yaml', 'json', 'json.gz'),
        async (bytes, extension) => {
          await failure(write(`fuzz${count++}.${extension}`, bytes));
        },
      ),
      { numRuns: 100 },
    );
  });
});
