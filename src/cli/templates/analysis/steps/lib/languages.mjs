// What the analysis knows about languages. `functions` says how functions are found: by braces or by indentation.

const C_LIKE = { line: ['//'], block: [['/*', '*/']], quotes: ['"', "'"], source: true };
const HASH = { line: ['#'], block: [], quotes: ['"', "'"], source: true };
const MARKUP = { line: [], block: [['<!--', '-->']], quotes: [], source: false };

/** name: extensions, comment syntax, quotes, and whether it counts as source code. */
const LANGUAGES = {
  C: { ...C_LIKE, extensions: ['c', 'h'], functions: 'braces' },
  'C#': { ...C_LIKE, extensions: ['cs'], functions: 'braces' },
  'C++': { ...C_LIKE, extensions: ['cc', 'cpp', 'cxx', 'hh', 'hpp'], functions: 'braces' },
  CSS: { ...C_LIKE, line: [], extensions: ['css'], source: false },
  Go: { ...C_LIKE, rawQuotes: ['`'], extensions: ['go'], functions: 'braces' },
  HTML: { ...MARKUP, extensions: ['html', 'htm', 'vue', 'svelte'] },
  Java: { ...C_LIKE, extensions: ['java'], functions: 'braces' },
  JavaScript: {
    ...C_LIKE,
    templates: true,
    extensions: ['js', 'mjs', 'cjs', 'jsx'],
    functions: 'braces',
  },
  JSON: { line: [], block: [], quotes: ['"'], source: false, extensions: ['json', 'jsonl', 'ndjson'] },
  Kotlin: { ...C_LIKE, extensions: ['kt', 'kts'], functions: 'braces' },
  Lua: { line: ['--'], block: [['--[[', ']]']], quotes: ['"', "'"], source: true, extensions: ['lua'] },
  Makefile: { ...HASH, quotes: [], extensions: ['mk'], names: ['Makefile', 'GNUmakefile'] },
  Markdown: { ...MARKUP, extensions: ['md', 'markdown'] },
  PHP: { ...C_LIKE, line: ['//', '#'], extensions: ['php'], functions: 'braces' },
  Python: { ...HASH, triple: true, extensions: ['py', 'pyi'], functions: 'indentation' },
  Ruby: { ...HASH, extensions: ['rb', 'rake'], names: ['Rakefile', 'Gemfile'] },
  Rust: { ...C_LIKE, quotes: [], longQuotes: ['"'], chars: true, extensions: ['rs'], functions: 'braces' },
  SCSS: { ...C_LIKE, extensions: ['scss', 'sass', 'less'], source: false },
  SQL: { line: ['--'], block: [['/*', '*/']], quotes: ["'", '"'], source: true, extensions: ['sql'] },
  Scala: { ...C_LIKE, extensions: ['scala'], functions: 'braces' },
  Shell: {
    ...HASH,
    quotes: [],
    longQuotes: ['"', "'"],
    extensions: ['sh', 'bash', 'zsh'],
    names: ['Dockerfile'],
  },
  Swift: { ...C_LIKE, extensions: ['swift'], functions: 'braces' },
  TOML: { ...HASH, source: false, extensions: ['toml'] },
  TypeScript: {
    ...C_LIKE,
    templates: true,
    extensions: ['ts', 'mts', 'cts', 'tsx'],
    functions: 'braces',
  },
  XML: { ...MARKUP, extensions: ['xml', 'svg', 'xsd'] },
  YAML: { ...HASH, source: false, extensions: ['yaml', 'yml'] },
};

const PLAIN = { line: [], block: [], quotes: [], source: false };
export const OTHER_TEXT = 'Other text';

const byExtension = new Map();
const byName = new Map();
for (const [name, language] of Object.entries(LANGUAGES)) {
  for (const extension of language.extensions) byExtension.set(extension, name);
  for (const fileName of language.names ?? []) byName.set(fileName, name);
}

/** The language a path is written in, judged by its name alone. */
export function languageOf(path) {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
  return byName.get(name) ?? byExtension.get(extension) ?? OTHER_TEXT;
}

/** The syntax of a language by its name. */
export function syntaxOf(name) {
  return Object.hasOwn(LANGUAGES, name) ? LANGUAGES[name] : PLAIN;
}

export function isSource(name) {
  return syntaxOf(name).source;
}
