// Brings the findings together and writes them down: report.json for programs, report.md for people.
// Nothing in the report depends on time or on the order in which steps ended.
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { byCount, compareText } from './lib/files.mjs';
import { renderMarkdown } from './lib/markdown.mjs';

const NOTED = 200;
const LISTED = 20;

export function merge({ dependencyOutputs: outputs }) {
  const collect = outputs.collect;
  const shards = (name) =>
    Object.entries(outputs)
      .filter(([id]) => id.startsWith(`${name}_`))
      .sort(([a], [b]) => compareText(a, b))
      .map(([, output]) => output);
  const languages = mergeLanguages(shards('lines'));
  return {
    folder: basename(collect.root),
    root: collect.root,
    totals: {
      files: collect.files,
      size_bytes: collect.size_bytes,
      binary_files: collect.binary_files,
      ...sumLines(languages),
    },
    languages,
    functions: mergeFunctions(shards('complexity')),
    imports: withoutUnreadable(outputs.imports),
    exact_duplicates: outputs.exact_duplicates,
    near_duplicates: outputs.near_duplicates,
    markers: withoutUnreadable(outputs.markers),
    // A skipped dependency has no output.
    git: outputs.git_history ?? { available: false, reason: 'not inside a git work tree' },
    notes: mergeNotes(collect, outputs, shards('lines')),
  };
}

function mergeLanguages(parts) {
  const languages = new Map();
  for (const part of parts) {
    for (const [name, counts] of Object.entries(part.languages)) {
      const sum = languages.get(name) ?? { language: name, files: 0, blank: 0, comment: 0, code: 0 };
      for (const key of ['files', 'blank', 'comment', 'code']) sum[key] += counts[key];
      languages.set(name, sum);
    }
  }
  return [...languages.values()].sort(
    byCount(
      (entry) => entry.code,
      (entry) => entry.language,
    ),
  );
}

function sumLines(languages) {
  const sum = (key) => languages.reduce((total, entry) => total + entry[key], 0);
  return { blank: sum('blank'), comment: sum('comment'), code: sum('code') };
}

function mergeFunctions(parts) {
  const place = (item) => `${item.path}:${String(item.line).padStart(8, '0')}`;
  const best = (list, key) =>
    parts
      .flatMap((part) => part[list])
      .sort(byCount((item) => item[key], place))
      .slice(0, LISTED);
  const count = parts.reduce((sum, part) => sum + part.functions, 0);
  const lines = parts.reduce((sum, part) => sum + part.total_lines, 0);
  return {
    count,
    mean_lines: count === 0 ? 0 : Math.round((10 * lines) / count) / 10,
    longest: best('longest', 'lines'),
    most_complex: best('most_complex', 'complexity'),
  };
}

function withoutUnreadable({ unreadable: _, ...rest }) {
  return rest;
}

/** What the analysis left out, and why. Several steps may have failed to read the same file: it is noted once. */
function mergeNotes(collect, outputs, lines) {
  const left = new Map(collect.noted.map((note) => [note.path, note.reason]));
  for (const output of Object.values(outputs)) {
    for (const { path, reason } of output?.unreadable ?? []) left.set(path, `not readable: ${reason}`);
  }
  const notUtf8 = lines.flatMap((part) => part.not_utf8).sort((a, b) => compareText(a.path, b.path));
  return {
    skipped_by_name: collect.skipped_by_name,
    symlinks_not_followed: collect.symlinks_not_followed,
    truncated: collect.truncated,
    left_out_count: left.size + Math.max(0, collect.noted_count - collect.noted.length),
    left_out: [...left]
      .map(([path, reason]) => ({ path, reason }))
      .sort((a, b) => compareText(a.path, b.path))
      .slice(0, NOTED),
    not_utf8_count: notUtf8.length,
    not_utf8: notUtf8.slice(0, NOTED),
  };
}

export async function report(context) {
  const findings = context.dependencyOutputs.merge;
  const folder = context.artifactDir();
  const markdown = join(folder, 'report.md');
  const json = join(folder, 'report.json');
  await writeFile(markdown, renderMarkdown(findings));
  context.progress(0.5, 'report.md');
  await writeFile(json, `${JSON.stringify(findings, null, 2)}\n`);
  return {
    report: markdown,
    ...findings.totals,
    languages: findings.languages.length,
    functions: findings.functions.count,
    import_cycles: findings.imports.cycle_count,
    duplicate_blocks: findings.near_duplicates.blocks,
    markers: findings.markers.total,
    artifacts: [markdown, json],
  };
}
