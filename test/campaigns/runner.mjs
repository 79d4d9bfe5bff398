import { parseArgs } from 'node:util';

/*
 * What every campaign (crash, fuzz, soak) has in common: flags, a seed, progress on stderr, Ctrl-C, one summary on
 * stdout as text or as JSON, and the exit code: 0 all held, 1 something did not, 2 usage, 130 interrupted.
 */

/** How often progress is told where nobody watches a terminal. */
const PLAIN_PROGRESS_MS = 10_000;
const LIVE_PROGRESS_MS = 200;

/**
 * Runs a campaign to its end and ends the process.
 * @param name of its npm script: `test:NAME`
 * @param flags further flags: their default, what they mean, and `of` what they are one; numbers stay numbers
 * @param run gets the flags, `seed`, `progress(done, total, note)` and `aborted()`; gives the summary, a plain object
 *   with `failures`: a list of `{ reproduce, problem }`
 */
export async function campaign({ name, flags, run }) {
  const settings = settingsOf(name, flags);
  let interrupted = false;
  process.once('SIGINT', () => (interrupted = true));
  const sinceMs = performance.now();
  const progress = progressOf(name, settings.json);
  const summary = await run({ ...settings, progress: progress.tell, aborted: () => interrupted });
  progress.end();
  const seconds = Math.round((performance.now() - sinceMs) / 100) / 10;
  const { failures, ...figures } = summary;
  const document = {
    campaign: name,
    seed: settings.seed,
    node: process.version,
    seconds,
    ...figures,
    failures,
  };
  if (settings.json) console.log(JSON.stringify(document, null, 2));
  else console.log(textOf(document));
  process.exitCode = failures.length > 0 ? 1 : interrupted ? 130 : 0;
}

function settingsOf(name, flags) {
  const known = {
    ...flags,
    seed: { default: Date.now() % 2 ** 31, is: 'repeats a run' },
    json: { default: false, is: 'the summary as JSON' },
    help: { default: false, is: 'this text' },
  };
  try {
    const options = Object.entries(known).map(([flag, { default: value }]) => [
      flag,
      { type: typeof value === 'boolean' ? 'boolean' : 'string' },
    ]);
    const { values } = parseArgs({ options: Object.fromEntries(options) });
    if (values.help) usage(name, known, 0);
    return Object.fromEntries(
      Object.entries(known).map(([flag, { default: value, of }]) => {
        if (of?.includes(values[flag] ?? value) === false)
          throw new Error(`--${flag} must be one of ${of.join(', ')}`);
        if (typeof value !== 'number') return [flag, values[flag] ?? value];
        const given = values[flag] === undefined ? value : Number(values[flag]);
        if (!(given >= 0) || values[flag]?.trim() === '')
          throw new Error(`--${flag} must be a number, 0 or more`);
        return [flag, given];
      }),
    );
  } catch (error) {
    console.error(error.message);
    return usage(name, known, 2);
  }
}

function usage(name, known, code) {
  const lines = Object.entries(known).map(
    ([flag, { default: value, is }]) => `  --${flag.padEnd(12)} ${is}${value === false ? '' : ` (${value})`}`,
  );
  console.error([`npm run test:${name} -- [flags]`, ...lines].join('\n'));
  process.exit(code);
}

/** A line that is rewritten on a terminal, one every ten seconds elsewhere; with --json too, on stderr. */
function progressOf(name, json) {
  const { isTTY = false } = process.stderr;
  const everyMs = isTTY ? LIVE_PROGRESS_MS : PLAIN_PROGRESS_MS;
  let nextMs = performance.now() + everyMs;
  return {
    tell(done, total, note = '') {
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + everyMs;
      const text = `${name}: ${done} of ${total}${note && `, ${note}`}`;
      process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    },
    end() {
      if (isTTY) process.stderr.write(json ? '\n' : '\r\x1b[K');
    },
  };
}

function textOf({ campaign: name, seed, failures, ...figures }) {
  const shown = (value) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  const lines = Object.entries(figures).map(([key, value]) => `  ${key.padEnd(24)} ${shown(value)}`);
  const verdict = failures.length === 0 ? 'all held' : `${failures.length} FAILED`;
  const problems = failures.map(({ reproduce, problem }) => `\n${problem}\n  again: ${reproduce}`);
  return [`${name}, seed ${seed}: ${verdict}`, ...lines, ...problems].join('\n');
}
