import type { WebSocket } from '@fastify/websocket';
import { END_TIMEOUT_MS } from './streams.js';

/** Close codes of RFC 6455 and the registry after it. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  policy: 1008,
  failed: 1011,
  tryAgainLater: 1013,
} as const;

const PING_MS = 15_000;
/** What may wait to be sent when nobody waits for it. */
const MAX_BUFFERED_BYTES = 2 ** 20;
/** What may wait to be sent when the sender waits. */
const PACED_BYTES = 64 * 2 ** 10;

/**
 * A WebSocket that only tells: whatever the client says closes it. One that neither answers pings nor takes what is
 * sent is cut after two of them.
 */
export class LiveSocket {
  private alive = true;
  private readonly ping: NodeJS.Timeout;

  /** @param closed called once it is closed, by whichever side */
  constructor(
    private readonly socket: WebSocket,
    closed: () => void,
  ) {
    this.ping = setInterval(() => this.check(), PING_MS).unref();
    socket.on('pong', this.noteAlive);
    socket.on('message', () => this.close(CLOSE.policy, 'this socket takes no messages'));
    socket.on('close', () => {
      clearInterval(this.ping);
      closed();
    });
  }

  /** A client that does not keep up is told to come again, and nothing more. */
  send(text: string): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount > MAX_BUFFERED_BYTES)
      this.close(CLOSE.tryAgainLater, 'too slow: events were not taken in time');
    else this.socket.send(text, this.noteAlive);
  }

  /** Resolves when the client has room for more, or is gone. */
  async sendPaced(text: string): Promise<void> {
    const { promise, resolve } = deferred();
    this.socket.send(text, (error) => (this.noteAlive(error), resolve()));
    if (this.socket.bufferedAmount > PACED_BYTES) await promise;
  }

  close(code: number, reason: string): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    this.socket.close(code, reason);
    setTimeout(() => this.socket.terminate(), END_TIMEOUT_MS).unref();
  }

  /** A pong came, or something that was sent was taken. */
  private readonly noteAlive = (error?: unknown): void => {
    if (!(error instanceof Error)) this.alive = true;
  };

  private check(): void {
    if (!this.alive) return this.socket.terminate();
    this.alive = false;
    this.socket.ping();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
