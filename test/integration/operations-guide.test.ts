import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, describe, expect, it } from 'vitest';
import { guideSections, matches, runSection, withOutputs, type GuideStep } from '../support/guide.js';

/**
 * Runs every command of docs/operations.md, and compares what it prints with what the guide shows.
 * MAESTRO_UPDATE_GUIDE=1 writes what was printed into the guide where the two differ.
 */
const GUIDE = join(import.meta.dirname, '../../docs/operations.md');
const text = readFileSync(GUIDE, 'utf8');
const isUpdate = process.env.MAESTRO_UPDATE_GUIDE === '1';
const changed = new Map<GuideStep, readonly string[]>();

describe('the operations guide', () => {
  // Most of their time is waiting for services: they run beside each other.
  it.concurrent.each(guideSections(text))('$title', { timeout: 300_000 }, async (section) => {
    const printed = await runSection(section);
    const wrong = section.steps.flatMap((step, i) => {
      if (matches(step.expected, printed[i])) return [];
      changed.set(step, printed[i]);
      return [{ line: step.line, command: step.command, printed: printed[i].join('\n') }];
    });
    if (!isUpdate) expect(wrong).toEqual([]);
  });

  it('has a command in every section that the old guide had', () => {
    expect(guideSections(text).map(({ title }) => title)).toEqual([
      'Quick health check',
      'Starting fresh',
      'Restart scenarios',
      'Recovery procedures',
      'Verification steps',
      'Emergency procedures',
      'Troubleshooting',
      'Quick reference',
    ]);
  });
});

afterAll(() => {
  if (isUpdate) writeFileSync(GUIDE, withOutputs(text, changed));
});
