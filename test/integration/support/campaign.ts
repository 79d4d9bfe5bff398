import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';

const CAMPAIGNS = resolve(import.meta.dirname, '../../campaigns');

/** The summary of a campaign; each has its own figures. */
export interface Summary {
  readonly failures: readonly { reproduce: string; problem: string }[];
  readonly [figure: string]: unknown;
}

/** Runs a campaign as its npm script does, but smaller. Rejects when it ends without a summary. */
export function runCampaign(
  name: string,
  flags: Readonly<Record<string, number | string>>,
): Promise<Summary> {
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  return new Promise((done, fail) => {
    const command = ['--expose-gc', join(CAMPAIGNS, `${name}.mjs`), ...args, '--json'];
    execFile(process.execPath, command, { maxBuffer: 2 ** 26 }, (error, out, err) => {
      try {
        done(JSON.parse(out) as Summary);
      } catch {
        fail(error ?? new Error(`no summary: ${out}\n${err}`));
      }
    });
  });
}
