/** ` (did you mean "x"?)` when a candidate is close to the word, otherwise nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  // At most a third of the letters may differ (one of two, none of one): a wild guess is worse than none.
  let best = word.length === 2 ? 2 : Math.floor(word.length / 3) + 1;
  let found: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), best);
    if (distance >= best) continue;
    best = distance;
    found = candidate;
  }
  return found === undefined ? '' : ` (did you mean ${JSON.stringify(found)}?)`;
}

/** Edits (Levenshtein 1966) from one word to the other; `limit` when they are that many or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, previous[j] + 1, row[j - 1] + 1));
    }
    if (Math.min(...row) >= limit) return limit;
    previous = row;
  }
  return Math.min(previous[b.length], limit);
}
