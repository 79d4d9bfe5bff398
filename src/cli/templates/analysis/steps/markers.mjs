// The census of notes that people leave for later. Only comments count, so a string that names one does not.
import { byCount, collected, compareText, eachText } from './lib/files.mjs';
import { classify, COMMENT, keep } from './lib/scan.mjs';

const MARKER = /\b(TODO|FIXME|HACK|XXX)\b[\s:(-]*([^\n]*)/g;
const LISTED = 100;
const TEXT_LENGTH = 120;

export async function findMarkers(context) {
  const { root, files } = await collected(context);
  const found = [];
  const unreadable = await eachText(context, root, files, (file, text) => {
    for (const marker of markersOf(text, file.language)) found.push({ path: file.path, ...marker });
  });
  const counts = new Map();
  for (const { marker } of found) counts.set(marker, (counts.get(marker) ?? 0) + 1);
  found.sort((a, b) => compareText(a.path, b.path) || a.line - b.line);
  return {
    total: found.length,
    by_marker: Object.fromEntries(
      [...counts].sort(
        byCount(
          (entry) => entry[1],
          (entry) => entry[0],
        ),
      ),
    ),
    listed: found.slice(0, LISTED),
    unreadable,
  };
}

/** The markers in the comments of a text, with line numbers from 1. */
export function markersOf(text, language) {
  const comments = keep(text, classify(text, language), COMMENT);
  const found = [];
  for (const [index, line] of comments.split('\n').entries()) {
    for (const [, marker, rest] of line.matchAll(MARKER)) {
      found.push({ line: index + 1, marker, text: rest.trim().slice(0, TEXT_LENGTH) });
    }
  }
  return found;
}
