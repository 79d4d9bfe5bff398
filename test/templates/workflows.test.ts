import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadWorkflowFile } from '../../src/spec/index.js';
import { templateModule, TEMPLATES } from '../support/template-run.js';

const FILES = readdirSync(TEMPLATES).flatMap((name) =>
  readdirSync(join(TEMPLATES, name))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => join(name, file)),
);

describe.each(FILES)('%s', (file) => {
  it('is valid, without a warning', async () => {
    const { workflow, warnings } = await loadWorkflowFile(join(TEMPLATES, file));
    expect(warnings).toEqual([]);
    expect(workflow.spec.nodes.length).toBeGreaterThan(1);
  });

  it('depends only on nodes there are, and uses only functions there are', async () => {
    const { workflow } = await loadWorkflowFile(join(TEMPLATES, file));
    const ids = new Set(workflow.spec.nodes.map((node) => node.id));
    for (const node of workflow.spec.nodes) {
      for (const dependency of node.dependencies ?? []) expect(ids, `${node.id}`).toContain(dependency);
      if (node.uses === undefined) continue;
      const [path, name] = node.uses.split('#');
      const module = await templateModule(file, '..', path);
      expect(module[name], `${node.uses} of node ${node.id}`).toBeTypeOf('function');
    }
  });
});

describe('the templates', () => {
  it('are explained', () => {
    for (const name of readdirSync(TEMPLATES)) {
      for (const file of ['README.md', 'template.json'])
        expect(existsSync(join(TEMPLATES, name, file)), name).toBe(true);
    }
  });

  it('have the phases of the canonical model, linear and parallel', async () => {
    const edges = async (file: string) => {
      const { workflow } = await loadWorkflowFile(join(TEMPLATES, 'sdlc', file));
      expect(workflow.spec.nodes.every((node) => node.type === 'phase')).toBe(true);
      return workflow.spec.nodes.flatMap((node) =>
        (node.dependencies ?? []).map((from) => `${from}>${node.id}`),
      );
    };
    const phase = (pairs: string[]) => pairs.map((pair) => pair.replace(/\w+/g, 'phase_$&'));
    expect(await edges('linear.yaml')).toEqual(
      phase([
        'requirement_analysis>design',
        'design>backend_development',
        'backend_development>frontend_development',
        'frontend_development>testing',
        'testing>review',
      ]),
    );
    expect(await edges('parallel.yaml')).toEqual(
      phase([
        'requirement_analysis>design',
        'design>backend_development',
        'design>frontend_development',
        'backend_development>testing',
        'frontend_development>testing',
        'testing>review',
      ]),
    );
  });

  it('shard without gaps: each shard of a step once', async () => {
    const { workflow } = await loadWorkflowFile(join(TEMPLATES, 'analysis/workflow.yaml'));
    const shards = new Map<string, number[]>();
    for (const { uses, config } of workflow.spec.nodes) {
      const { shard, shards: count } = (config ?? {}) as { shard?: number; shards?: number };
      if (shard === undefined) continue;
      const key = `${uses} of ${count}`;
      shards.set(key, [...(shards.get(key) ?? []), shard]);
    }
    expect(shards.size).toBeGreaterThan(0);
    for (const [key, list] of shards) {
      expect(list.sort(), key).toEqual(Array.from({ length: Number(key.split(' of ')[1]) }, (_, i) => i));
    }
  });
});
