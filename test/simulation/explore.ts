import { scenarioOf, type Fault, type Scenario } from './scenario.js';
import { Run, type Broken, type RunReport } from './run.js';
import { Violation } from './violation.js';

/** What came of a seed that broke a promise. */
export interface Finding {
  readonly seed: number;
  readonly code: string;
  readonly message: string;
  /** The faults that are needed: without any one of them the promise holds. */
  readonly faults: readonly Fault[];
  /** The last that happened, oldest first. */
  readonly story: readonly string[];
}

export interface SeedReport {
  readonly report: RunReport;
  readonly finding: Finding | null;
}

const STORY_LINES = 40;

/** Runs a seed twice. What differs between the runs, and what breaks a promise, is a finding. */
export async function explore(seed: number, broken: Broken = {}): Promise<SeedReport> {
  const scenario = scenarioOf(seed);
  const report = await new Run(scenario, broken).play();
  const again = await new Run(scenario, broken).play();
  const violation = report.violation ?? difference(report, again);
  if (violation === null) return { report, finding: null };
  const { faults, story } =
    violation.code === 'DETERMINISTIC'
      ? { faults: scenario.faults, story: report.trace }
      : await shrink(scenario, broken, violation.code, report);
  const finding = {
    seed,
    code: violation.code,
    message: violation.message,
    faults,
    story: story.slice(-STORY_LINES),
  };
  return { report, finding };
}

function difference(a: RunReport, b: RunReport): Violation | null {
  if (a.trace.join('\n') === b.trace.join('\n')) return null;
  const at = a.trace.findIndex((line, index) => line !== b.trace[index]);
  const [first, second] = [a.trace[at] ?? '(the end)', b.trace[at] ?? '(the end)'];
  return new Violation('DETERMINISTIC', `line ${at} is "${first}", then "${second}"`);
}

/** Takes faults away as long as the same promise stays broken. */
async function shrink(
  scenario: Scenario,
  broken: Broken,
  code: string,
  first: RunReport,
): Promise<{ faults: readonly Fault[]; story: readonly string[] }> {
  let { faults } = scenario;
  let story = first.trace;
  for (let removed = true; removed;) {
    removed = false;
    for (let index = faults.length - 1; index >= 0; index--) {
      const fewer = faults.filter((_, other) => other !== index);
      const { violation, trace } = await new Run({ ...scenario, faults: fewer }, broken).play();
      if (violation?.code !== code) continue;
      [faults, story, removed] = [fewer, trace, true];
    }
  }
  return { faults, story };
}

/** A finding for people: what broke, what it takes, how to see it again. */
export function describeFinding({ seed, code, message, faults, story }: Finding): string {
  return [
    `seed ${seed} breaks ${code}`,
    `  ${message.replace(new RegExp(`^${code}: `), '')}`,
    `  faults needed: ${faults.length === 0 ? 'none' : ''}`,
    ...faults.map((fault) => `    ${JSON.stringify(fault)}`),
    '  the last that happened (simulated ms):',
    ...story.map((line) => `    ${line}`),
    `  again: npm run test:sim -- --seeds 1 --seed ${seed}`,
  ].join('\n');
}
