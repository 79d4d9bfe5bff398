const LENGTH = 128;

/** The last events of an execution, for the story of one that must not be. Holds on to nothing else of them. */
export class RecentEvents {
  private readonly nodes: number[] = [];
  private readonly types: string[] = [];
  private readonly times: number[] = [];
  private count = 0;

  note(node: number, type: string, atMs: number): void {
    const at = this.count++ % LENGTH;
    this.nodes[at] = node;
    this.types[at] = type;
    this.times[at] = atMs;
  }

  /** `type@time` of those of a node, oldest first. */
  of(node: number): string[] {
    const story: string[] = [];
    for (let k = Math.max(0, this.count - LENGTH); k < this.count; k++) {
      const at = k % LENGTH;
      if (this.nodes[at] === node) story.push(`${this.types[at]}@${this.times[at]}`);
    }
    return story;
  }
}
