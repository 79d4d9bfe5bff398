// The report as Markdown.

const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ');

/** File names are foreign text: they must not break out of a table cell or a code span. */
const cell = (value) =>
  typeof value === 'number'
    ? number(value)
    : String(value)
        .replace(/\s+/g, ' ')
        .replace(/[\\|`*_<>[\]]/g, '\\$&');

function table(headings, rows) {
  if (rows.length === 0) return 'None.\n';
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const numeric = headings.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  return [
    line(headings),
    line(numeric.map((right) => (right ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(cell))),
    '',
  ].join('\n');
}

export function renderMarkdown(findings) {
  return [
    `# Analysis of ${cell(findings.folder)}\n`,
    overview(findings),
    '## Languages\n',
    table(
      ['Language', 'Files', 'Code', 'Comment', 'Blank'],
      findings.languages.map((entry) => [
        entry.language,
        entry.files,
        entry.code,
        entry.comment,
        entry.blank,
      ]),
    ),
    functions(findings.functions),
    imports(findings.imports),
    duplicates(findings),
    markers(findings.markers),
    git(findings.git),
    notes(findings.notes),
  ].join('\n');
}

function overview({ totals, functions: found, imports: graph, near_duplicates: near, markers: marks }) {
  return [
    `- ${number(totals.files)} files, ${number(totals.size_bytes)} bytes (${number(totals.binary_files)} binary)`,
    `- ${number(totals.code)} lines of code, ${number(totals.comment)} of comment, ${number(totals.blank)} blank`,
    `- ${number(found.count)} functions, ${found.mean_lines} lines each on average`,
    `- ${number(graph.modules)} modules, ${number(graph.edges)} imports, ${number(graph.cycle_count)} cycles`,
    `- ${number(near.blocks)} repeated blocks of at least ${near.window_lines} lines, ${number(marks.total)} markers\n`,
  ].join('\n');
}

function functions({ longest, most_complex: complex }) {
  const row = (item) => [`${item.path}:${item.line}`, item.name, item.lines, item.complexity];
  const headings = ['Place', 'Function', 'Lines', 'Complexity'];
  return [
    '## Longest functions\n',
    table(headings, longest.map(row)),
    '## Most branching functions\n',
    'Complexity is 1 + the number of decisions (if, loops, case, catch, and, or, conditional operator).\n',
    table(headings, complex.map(row)),
  ].join('\n');
}

function imports(graph) {
  const cycles = graph.cycles.map((cycle) => `- ${[...cycle, cycle[0]].map(cell).join(' → ')}`);
  return [
    '## Import graph\n',
    '### Cycles\n',
    'Groups of files that import each other, directly or around a circle (type-only imports left out).\n',
    cycles.length === 0 ? 'None.\n' : `${cycles.join('\n')}\n`,
    '### Most imported\n',
    table(
      ['File', 'Importers'],
      graph.most_imported.map((entry) => [entry.path, entry.importers]),
    ),
    '### Packages from outside\n',
    table(
      ['Module', 'Importers'],
      graph.external.map((entry) => [entry.module, entry.importers]),
    ),
    `### Imports that lead nowhere (${number(graph.unresolved_count)})\n`,
    table(
      ['File', 'Import'],
      graph.unresolved.map((entry) => [entry.path, entry.target]),
    ),
  ].join('\n');
}

function duplicates({ exact_duplicates: exact, near_duplicates: near }) {
  const place = ({ path, from, to }) => `${path}:${from}-${to}`;
  return [
    '## Identical files\n',
    `${number(exact.groups)} groups, ${number(exact.wasted_bytes)} bytes in copies.\n`,
    table(
      ['Bytes', 'Files'],
      exact.largest.map((group) => [group.size_bytes, group.paths.join(', ')]),
    ),
    '## Repeated blocks\n',
    `${number(near.duplicated_lines)} lines repeat earlier ones. Comments, layout, texts and numbers are ignored.\n`,
    table(
      ['Lines', 'First', 'Again'],
      near.largest.map((block) => [block.lines, place(block.original), place(block.copy)]),
    ),
  ].join('\n');
}

function markers({ by_marker: counts, listed }) {
  const summary = Object.entries(counts).map(([marker, count]) => `${marker}: ${number(count)}`);
  return [
    '## Markers in comments\n',
    summary.length === 0 ? '' : `${summary.join(', ')}\n`,
    table(
      ['Place', 'Marker', 'Text'],
      listed.map((entry) => [`${entry.path}:${entry.line}`, entry.marker, entry.text]),
    ),
  ].join('\n');
}

function git(history) {
  if (!history.available) return `## Git history\n\nNot available: ${cell(history.reason)}.\n`;
  const more = history.truncated ? ' (the latest only)' : '';
  return [
    '## Git history\n',
    `${number(history.commits)} commits${more} by ${number(history.author_count)} authors, ` +
      `${history.first_date} to ${history.last_date}.\n`,
    table(
      ['Author', 'Commits'],
      history.authors.map((entry) => [entry.name, entry.commits]),
    ),
    table(
      ['Most changed', 'Commits'],
      history.most_changed.map((entry) => [entry.path, entry.commits]),
    ),
  ].join('\n');
}

function notes(found) {
  return [
    '## Left out\n',
    `${number(found.skipped_by_name)} files and folders by their names; ` +
      `${number(found.symlinks_not_followed)} symbolic links not followed; ` +
      `${number(found.left_out_count)} others${found.truncated ? '; the folder has more files than the limit' : ''}.\n`,
    table(
      ['Path', 'Reason'],
      found.left_out.map((entry) => [entry.path, entry.reason]),
    ),
    `### Texts that are not UTF-8 (${number(found.not_utf8_count)})\n`,
    table(
      ['Path', 'Read as'],
      found.not_utf8.map((entry) => [entry.path, entry.encoding]),
    ),
  ].join('\n');
}
