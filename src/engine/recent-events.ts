const LENGTH = 128;
/** Node, type and time of one event. */
const FIELDS = 3;

/** The last events of an execution, for the story of one that must not be. Holds on to nothing else of them. */
export class RecentEvents {
  /** Times as milliseconds since the first one: small numbers take no memory beside the array. */
  private readonly events: (number | string)[] = [];
  private firstMs = 0;
  private count = 0;

  note(node: number, type: string, atMs: number): void {
    if (this.count === 0) this.firstMs = atMs;
    const at = (this.count++ % LENGTH) * FIELDS;
    this.events[at] = node;
    this.events[at + 1] = type;
    this.events[at + 2] = atMs - this.firstMs;
  }

  /** `type@time` of those of a node, oldest first. */
  of(node: number): string[] {
    const story: string[] = [];
    for (let k = Math.max(0, this.count - LENGTH); k < this.count; k++) {
      const at = (k % LENGTH) * FIELDS;
      const [who, type, sinceMs] = this.events.slice(at, at + FIELDS);
      if (who === node) story.push(`${type}@${this.firstMs + Number(sinceMs)}`);
    }
    return story;
  }
}
