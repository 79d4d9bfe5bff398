import { toErrorDocument } from '../../runtime/index.js';

/** One thing that is checked. It throws what is wrong; what it returns says what was seen. */
export interface Check {
  readonly name: string;
  /** Left out by --quick. */
  readonly slow?: boolean;
  /** When it fails nothing can work: the exit code is 2. */
  readonly vital?: boolean;
  run(folder: string): Promise<string>;
}

export interface CheckResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly seconds: number;
  readonly detail: string;
}

const TIMEOUT_MS = 60_000;

/** Runs one check in a folder of its own. It neither throws nor hangs. */
export async function runCheck(check: Check, folder: () => string): Promise<CheckResult> {
  const beganMs = performance.now();
  const result = (status: CheckResult['status'], detail: string): CheckResult => ({
    name: check.name,
    status,
    seconds: Math.round(performance.now() - beganMs) / 1000,
    detail,
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  try {
    return result('passed', await Promise.race([check.run(folder()), late]));
  } catch (error) {
    return result('failed', toErrorDocument(error).message);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws Error with the message when the condition does not hold */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
