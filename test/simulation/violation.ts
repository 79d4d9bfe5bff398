/** A promise that was not kept. `code` names the promise: shrinking keeps to it. */
export class Violation extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
    this.name = 'Violation';
  }
}

export function demand(condition: boolean, code: string, message: string): asserts condition {
  if (!condition) throw new Violation(code, message);
}
