import type { Runtime } from '../runtime/index.js';

/** One who is told the events of a workflow. */
export interface Subscriber {
  /** @param text the event as JSON */
  send(text: string): void;
  /** Nothing more comes; why. */
  fail(error: unknown): void;
}

/** The live events of workflows: each is watched once, however many look on, and only while somebody does. */
export class WorkflowFeeds {
  private readonly feeds = new Map<string, Feed>();

  constructor(private readonly runtime: Runtime) {}

  /** @returns how to leave */
  join(workflowId: string, subscriber: Subscriber): () => void {
    let feed = this.feeds.get(workflowId);
    if (feed === undefined) {
      feed = new Feed();
      this.feeds.set(workflowId, feed);
      void this.run(workflowId, feed);
    }
    const joined = feed;
    joined.subscribers.add(subscriber);
    return () => {
      joined.subscribers.delete(subscriber);
      if (joined.subscribers.size === 0) this.end(workflowId, joined);
    };
  }

  private async run(workflowId: string, feed: Feed): Promise<void> {
    const { subscribers, stop } = feed;
    try {
      for await (const event of this.runtime.watch(workflowId, { signal: stop.signal })) {
        const text = JSON.stringify(event);
        for (const subscriber of subscribers) subscriber.send(text);
      }
    } catch (error) {
      // Who comes now watches anew.
      this.end(workflowId, feed);
      for (const subscriber of subscribers) subscriber.fail(error);
    }
  }

  private end(workflowId: string, feed: Feed): void {
    feed.stop.abort();
    if (this.feeds.get(workflowId) === feed) this.feeds.delete(workflowId);
  }
}

class Feed {
  readonly subscribers = new Set<Subscriber>();
  readonly stop = new AbortController();
}
