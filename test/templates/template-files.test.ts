import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyTemplate, listTemplates } from '../../src/cli/template-files.js';
import { loadWorkflowFile } from '../../src/spec/index.js';
import { TEMPLATES } from '../support/template-run.js';

let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'maestro-init-')));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('listTemplates', () => {
  it('knows every template folder, each under its own name', async () => {
    const templates = await listTemplates();
    expect(templates.map(({ name }) => name)).toEqual(readdirSync(TEMPLATES).sort());
    for (const template of templates) {
      expect(Object.keys(template).sort()).toEqual(['description', 'name', 'run', 'title']);
      const file = /maestro run (\S+)/.exec(template.run)?.[1];
      expect(existsSync(join(TEMPLATES, template.name, file!)), template.run).toBe(true);
    }
  });
});

describe('copyTemplate', () => {
  it('writes a runnable folder and says what it wrote', async () => {
    const target = join(dir, 'new', 'flow');
    const written = await copyTemplate('analysis', target);
    expect(written).toContain(join(target, 'workflow.yaml'));
    expect(written).toContain(join(target, 'steps', 'lib', 'scan.mjs'));
    expect(written).not.toContain(join(target, 'template.json'));
    for (const path of written) {
      const source = join(TEMPLATES, 'analysis', path.slice(target.length));
      expect(await readFile(path, 'utf8')).toBe(await readFile(source, 'utf8'));
    }
    expect((await loadWorkflowFile(join(target, 'workflow.yaml'))).warnings).toEqual([]);
  });

  it('writes nothing when a file is in the way, and lists all that are', async () => {
    await writeFile(join(dir, 'workflow.yaml'), 'mine');
    await writeFile(join(dir, 'steps.mjs'), 'mine too');
    await expect(copyTemplate('hello', dir)).rejects.toMatchObject({
      code: 'FILE_EXISTS',
      message: expect.stringContaining('workflow.yaml'),
      details: { paths: [join(dir, 'steps.mjs'), join(dir, 'workflow.yaml')] },
    });
    expect(readdirSync(dir).sort()).toEqual(['steps.mjs', 'workflow.yaml']);
    expect(await readFile(join(dir, 'workflow.yaml'), 'utf8')).toBe('mine');
  });

  it('replaces files when forced, but never a folder', async () => {
    await writeFile(join(dir, 'workflow.yaml'), 'mine');
    await copyTemplate('hello', dir, { force: true });
    expect(await readFile(join(dir, 'workflow.yaml'), 'utf8')).toContain('id: hello');
    await rm(join(dir, 'steps.mjs'));
    await mkdir(join(dir, 'steps.mjs'));
    await expect(copyTemplate('hello', dir, { force: true })).rejects.toMatchObject({
      code: 'FILE_EXISTS',
      details: { paths: [join(dir, 'steps.mjs')] },
    });
  });

  it('does not write through links out of the folder', async () => {
    const outside = join(dir, 'outside');
    const target = join(dir, 'target');
    await mkdir(outside);
    await mkdir(target);
    await writeFile(join(outside, 'precious'), 'mine');
    await symlink(join(outside, 'precious'), join(target, 'workflow.yaml'));
    await symlink(outside, join(target, 'steps'));
    await expect(copyTemplate('analysis', target, { force: true })).rejects.toMatchObject({
      details: { paths: [join(target, 'steps')] },
    });
    await rm(join(target, 'steps'));
    await copyTemplate('analysis', target, { force: true });
    expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('mine');
    expect(readdirSync(outside)).toEqual(['precious']);
  });

  it('accepts a target that is itself a link to a folder', async () => {
    await mkdir(join(dir, 'real'));
    await symlink(join(dir, 'real'), join(dir, 'link'));
    await copyTemplate('hello', join(dir, 'link'));
    expect(existsSync(join(dir, 'real', 'workflow.yaml'))).toBe(true);
  });

  it('refuses a target that is a file, and a name it does not know', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(copyTemplate('hello', join(dir, 'file'))).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    for (const name of ['nope', '..', '../templates/hello', '']) {
      await expect(copyTemplate(name, dir)).rejects.toMatchObject({
        code: 'USAGE',
        next: expect.stringContaining('hello'),
      });
    }
  });
});
