// A step as a command: its context comes as a JSON document on stdin, its output is the last JSON line on stdout.
// Without git, or without a single commit, it says so and succeeds: a report without history is still a report.
import { execFile } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const MAX_COMMITS = 5000;
const LISTED = 20;
const run = promisify(execFile);

const context = JSON.parse((await text(process.stdin)) || '{}');
const root = context.dependency_outputs?.collect?.root ?? process.cwd();

async function git(...args) {
  const { stdout } = await run('git', ['-C', root, ...args], { maxBuffer: 256 * 1024 * 1024 });
  return stdout;
}

/** Counts equal texts, most frequent first. */
function ranking(texts) {
  const counts = new Map();
  for (const name of texts) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

async function history() {
  const log = await git(
    'log',
    `--max-count=${MAX_COMMITS}`,
    '--date=short',
    '--format=%x01%aN%x02%ad',
    '--',
    '.',
  );
  const commits = log
    .split('\u0001')
    .slice(1)
    .map((line) => line.trim().split('\u0002'));
  if (commits.length === 0) return { available: false, reason: 'no commits' };
  const names = await git(
    'log',
    `--max-count=${MAX_COMMITS}`,
    '--relative',
    '--no-renames',
    '--name-only',
    '-z',
    '--format=',
    '--',
    '.',
  );
  const changed = ranking(names.split(/[\0\n]/).filter(Boolean));
  const authors = ranking(commits.map(([author]) => author));
  const dates = commits.map(([, date]) => date).sort();
  return {
    available: true,
    commits: commits.length,
    truncated: commits.length === MAX_COMMITS,
    first_date: dates[0],
    last_date: dates.at(-1),
    author_count: authors.length,
    authors: authors.slice(0, LISTED).map(([name, count]) => ({ name, commits: count })),
    most_changed: changed.slice(0, LISTED).map(([path, count]) => ({ path, commits: count })),
  };
}

const output = await history().catch((error) => {
  const reason =
    error.code === 'ENOENT' ? 'git is not installed' : String(error.stderr || error.message).trim();
  return { available: false, reason: reason.split('\n')[0] };
});
process.stdout.write(`${JSON.stringify(output)}\n`);
