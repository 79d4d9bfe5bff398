// Who imports whom, for JavaScript, TypeScript, Python, C and C++: found in the text, without a compiler.
import { posix } from 'node:path';
import { byCount, collected, compareText, eachText } from './lib/files.mjs';
import { cycles } from './lib/graph.mjs';
import { classify, CODE, keep, STRING } from './lib/scan.mjs';

const LISTED = 20;
const WITH_IMPORTS = new Set(['JavaScript', 'TypeScript', 'Python', 'C', 'C++']);
const SCRIPT_ENDINGS = ['', '.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json'];
const FROM = /\b(?:import|export)\s+(type\s+)?[\w*${},\s]{0,4000}?\bfrom\s*(['"])([^'"\n]+)\2/g;
const BARE = /\bimport\s*(['"])([^'"\n]+)\1/g;
const CALL = /\b(?:import|require)\s*\(\s*(['"])([^'"\n]+)\1/g;
const PYTHON_IMPORT = /^[ \t]*import[ \t]+([\w., \t]+)/gm;
const PYTHON_FROM = /^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)|([^\n(]*))/gm;
const INCLUDE = /^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]/gm;

/** Type-only imports count as edges but not as cycles: they are gone at run time. */
export async function importGraph(context) {
  const { root, files } = await collected(context);
  const known = new Set(files.map((file) => file.path));
  const edges = new Map();
  const runtimeEdges = new Map();
  const external = new Map();
  const unresolved = [];
  const unreadable = await eachText(context, root, files, (file, text) => {
    const references = referencesOf(text, file.language);
    if (!references) return;
    const targets = new Set();
    const runtimeTargets = new Set();
    for (const reference of references) {
      const resolved = resolveReference(file.path, file.language, reference, known);
      if (resolved.path === file.path) continue;
      if (resolved.path !== undefined) {
        targets.add(resolved.path);
        if (!reference.typeOnly) runtimeTargets.add(resolved.path);
      } else if (reference.optional) {
        continue;
      } else if (resolved.package !== undefined) {
        external.set(resolved.package, (external.get(resolved.package) ?? new Set()).add(file.path));
      } else unresolved.push({ path: file.path, target: reference.target });
    }
    edges.set(file.path, targets);
    runtimeEdges.set(file.path, runtimeTargets);
  });
  return { ...summary(edges, runtimeEdges, external), ...listUnresolved(unresolved), unreadable };
}

function summary(edges, runtimeEdges, external) {
  const importers = new Map();
  for (const targets of edges.values()) {
    for (const target of targets) importers.set(target, (importers.get(target) ?? 0) + 1);
  }
  const size = (entry) => entry[1].size;
  const name = (entry) => entry[0];
  const found = cycles(runtimeEdges).sort(
    byCount(
      (cycle) => cycle.length,
      (cycle) => cycle[0],
    ),
  );
  return {
    modules: edges.size,
    edges: [...edges.values()].reduce((sum, targets) => sum + targets.size, 0),
    cycle_count: found.length,
    cycles: found.slice(0, LISTED).map((cycle) => cycle.slice(0, LISTED)),
    most_imported: [...importers]
      .sort(byCount((entry) => entry[1], name))
      .slice(0, LISTED)
      .map(([path, count]) => ({ path, importers: count })),
    most_importing: [...edges]
      .filter(([, targets]) => targets.size > 0)
      .sort(byCount(size, name))
      .slice(0, LISTED)
      .map(([path, targets]) => ({ path, imports: targets.size })),
    external: [...external]
      .sort(byCount(size, name))
      .slice(0, LISTED)
      .map(([module, by]) => ({ module, importers: by.size })),
  };
}

function listUnresolved(unresolved) {
  unresolved.sort((a, b) => compareText(a.path, b.path) || compareText(a.target, b.target));
  return { unresolved_count: unresolved.length, unresolved: unresolved.slice(0, LISTED) };
}

/** What a text refers to, as `{ target, typeOnly?, local?, optional? }`; undefined for languages without a rule. */
export function referencesOf(text, language) {
  if (!WITH_IMPORTS.has(language)) return undefined;
  const classes = classify(text, language);
  const code = keep(text, classes, CODE, STRING);
  if (language === 'Python') return pythonReferences(code);
  if (language === 'C' || language === 'C++') {
    return [...code.matchAll(INCLUDE)].map(([, quote, target]) => ({ target, local: quote === '"' }));
  }
  // A statement quoted inside a text is none.
  const real = (match) => classes[match.index] === CODE;
  return [
    ...[...code.matchAll(FROM)].filter(real).map((m) => ({ target: m[3], typeOnly: m[1] !== undefined })),
    ...[...code.matchAll(BARE), ...code.matchAll(CALL)].filter(real).map((m) => ({ target: m[2] })),
  ];
}

function pythonReferences(code) {
  const references = [];
  for (const [, list] of code.matchAll(PYTHON_IMPORT)) {
    for (const part of list.split(',')) {
      const target = part.trim().split(/\s/)[0];
      if (target) references.push({ target });
    }
  }
  for (const [, target, inBrackets, bare] of code.matchAll(PYTHON_FROM)) {
    const onlyDots = /^\.+$/.test(target);
    if (!onlyDots) references.push({ target });
    for (const part of (inBrackets ?? bare).split(',')) {
      // What is imported may be a module of its own, or just a name inside one.
      const name = part.trim().split(/\s/)[0];
      if (name) references.push({ target: onlyDots ? target + name : `${target}.${name}`, optional: true });
    }
  }
  return references.filter(({ target }) => !/^\.*$/.test(target));
}

/** Where a reference leads: `{ path }` in the folder, `{ package }` outside of it, or `{}` when it is dangling. */
export function resolveReference(from, language, { target, local }, known) {
  if (language === 'Python') return resolvePython(from, target, known);
  if (language === 'C' || language === 'C++') {
    const path = [posix.join(posix.dirname(from), target), posix.normalize(target), `include/${target}`].find(
      (p) => known.has(p),
    );
    if (path !== undefined) return { path };
    return local ? {} : { package: `<${target}>` };
  }
  if (!/^\.\.?(?:\/|$)/.test(target)) {
    const parts = target.split('/');
    return { package: target.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0] };
  }
  const base = posix.join(posix.dirname(from), target.replace(/[?#].*$/, ''));
  const path = scriptCandidates(base).find((candidate) => known.has(candidate));
  return path === undefined ? {} : { path };
}

function scriptCandidates(base) {
  // TypeScript sources import each other under the name of the compiled file.
  const source = base.replace(/\.([mc]?)js$/, '.$1ts');
  return [
    base,
    source,
    source.replace(/\.ts$/, '.tsx'),
    ...SCRIPT_ENDINGS.map((ending) => base + ending),
    ...SCRIPT_ENDINGS.map((ending) => `${base}/index${ending}`),
  ];
}

function resolvePython(from, target, known) {
  const dots = /^\.*/.exec(target)[0].length;
  const parts = target.slice(dots).split('.').filter(Boolean);
  const own = posix.dirname(from);
  const bases = dots > 0 ? [posix.join(own, ...Array(dots - 1).fill('..'))] : ['.', 'src', own];
  for (const base of bases) {
    const path = posix.join(base, ...parts);
    const found = [`${path}.py`, `${path}/__init__.py`, `${path}.pyi`].find((candidate) =>
      known.has(candidate),
    );
    if (found !== undefined) return { path: found };
  }
  return dots > 0 ? {} : { package: parts[0] };
}
