// Line statistics per language. Runs in shards: each takes the files whose path hashes to its number.
import { collected, eachText, shardOf } from './lib/files.mjs';
import { CODE, classify, keep, STRING } from './lib/scan.mjs';

/** Config: `shard`, `shards`. A line with any code on it is code; one with only a comment is comment. */
export async function countLines(context) {
  const { root, files } = await collected(context);
  const languages = new Map();
  const notUtf8 = [];
  const unreadable = await eachText(
    context,
    root,
    shardOf(files, context.nodeConfig),
    (file, text, encoding) => {
      if (encoding !== 'utf-8') notUtf8.push({ path: file.path, encoding });
      const entry = languages.get(file.language) ?? { files: 0, blank: 0, comment: 0, code: 0 };
      const counts = linesOf(text, file.language);
      languages.set(file.language, {
        files: entry.files + 1,
        blank: entry.blank + counts.blank,
        comment: entry.comment + counts.comment,
        code: entry.code + counts.code,
      });
    },
  );
  return { languages: Object.fromEntries(languages), not_utf8: notUtf8, unreadable };
}

/** Counts blank, comment and code lines. A final line end does not begin another line. */
export function linesOf(text, language) {
  const counts = { blank: 0, comment: 0, code: 0 };
  if (text === '') return counts;
  const code = keep(text, classify(text, language), CODE, STRING).split('\n');
  const lines = text.split('\n');
  if (text.endsWith('\n')) lines.pop();
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') counts.blank += 1;
    else if (code[index].trim() === '') counts.comment += 1;
    else counts.code += 1;
  }
  return counts;
}
