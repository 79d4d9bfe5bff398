import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';
import { fakeTerminal } from '../cli/support/fake-terminal.js';

const ROOT = join(import.meta.dirname, '../..');
const GUIDES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

/** A use of the command in a guide: its words up to the end of the command, and its long options. */
interface CommandUse {
  readonly place: string;
  readonly command: readonly string[];
  readonly options: readonly string[];
}

/** What a command's name, or an argument that could be one, looks like. */
const NAME = /^[a-z][a-z-]*$/;

/** Every `maestro …` in a fenced block, where it begins a command. */
function commandUses(file: string): CommandUse[] {
  const uses: CommandUse[] = [];
  let fenced = false;
  let isSession = false;
  readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      if (/^\s*```/.test(line)) fenced = !fenced;
      if (!fenced) return;
      if (/^\s*```console/.test(line)) isSession = true;
      else if (/^\s*```/.test(line)) isSession = false;
      // In a session what stands without a prompt is output.
      if (isSession && !line.startsWith('$ ')) return;
      for (const match of line.matchAll(/(?:^|[|&;]\s*|\$\s+)maestro\s+([^|&;#>]+)/g)) {
        const words = match[1].trim().split(/\s+/);
        const firstOther = words.findIndex((word) => !NAME.test(word));
        const command = words.slice(0, firstOther < 0 ? words.length : firstOther);
        const options = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]);
        uses.push({ place: `${file}:${index + 1}`, command, options });
      }
    });
  return uses;
}

const helps = new Map<string, Promise<string | undefined>>();

async function help(command: readonly string[]): Promise<string | undefined> {
  const key = command.join(' ');
  const known = helps.get(key);
  if (known !== undefined) return known;
  const terminal = fakeTerminal();
  const found = runCommandLine([...command, '--help'], terminal).then((code) =>
    // For a word it does not know commander shows the help of the program.
    code === 0 && terminal.out().startsWith(`Usage: maestro ${command[0]} `) ? terminal.out() : undefined,
  );
  helps.set(key, found);
  return found;
}

describe.each(GUIDES)('%s', (guide) => {
  it('names only commands and options that exist', async () => {
    const wrong: string[] = [];
    for (const { place, command, options } of commandUses(guide)) {
      // Words after the command may be arguments: the longest beginning that is a command counts.
      const text = (await help(command.slice(0, 2))) ?? (await help(command.slice(0, 1)));
      if (text === undefined || command.length === 0) {
        if (options.length === 0 || command.length > 0) wrong.push(`${place}: maestro ${command.join(' ')}`);
        continue;
      }
      for (const option of options) if (!text.includes(option)) wrong.push(`${place}: ${option}`);
    }
    expect(wrong).toEqual([]);
  });

  it('names only files of the repository that exist', () => {
    const text = readFileSync(join(ROOT, guide), 'utf8');
    const named = [
      ...text.matchAll(/`((?:test|src|bench|docs|machines)\/[\w./-]+\.(?:ts|js|mjs|md|yaml|json))`/g),
    ];
    expect(named.map(([, path]) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
