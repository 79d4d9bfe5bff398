import { execFile } from 'node:child_process';
import process from 'node:process';
import type { Logger } from '../runtime/index.js';

/** What systemd asks of a service of Type=notify, from its environment. */
interface Request {
  readonly socket: string;
  /** Time within which a sign of life is expected; undefined: none is. */
  readonly watchdogMs: number | undefined;
}

/**
 * Tells systemd how the service is. Node has no Unix datagram sockets, so `systemd-notify`, which comes with systemd,
 * does it: the unit needs NotifyAccess=all. Without systemd nothing is done.
 */
export class ServiceManager {
  readonly #request: Request | undefined;
  readonly #logger: Logger;
  #watchdog: NodeJS.Timeout | undefined;
  #failed = false;
  #last: Promise<void> = Promise.resolve();

  /** Takes the request out of the environment: what the service starts must not speak for it. */
  constructor(logger: Logger) {
    this.#logger = logger;
    this.#request = takeRequest(process.env, process.pid);
  }

  /** The service listens. From now on signs of life are sent, as long as `isHealthy`. */
  ready(status: string, isHealthy: () => boolean): void {
    this.#notify('--ready', `--status=${status}`);
    const { watchdogMs } = this.#request ?? {};
    if (watchdogMs === undefined) return;
    // Half of the time: one that comes late, or is lost, does no harm. A loop that does not turn sends none.
    this.#watchdog = setInterval(() => {
      if (isHealthy()) this.#notify('WATCHDOG=1');
    }, watchdogMs / 2);
    this.#watchdog.unref();
  }

  stopping(status: string): void {
    this.#notify('STOPPING=1', `--status=${status}`);
  }

  /** No sign of life any more. Resolves when what was said has been said. */
  async end(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#last;
  }

  /** One after another: systemd must hear them in order. */
  #notify(...words: string[]): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#last = this.#last.then(() => this.#send(request, words));
  }

  #send({ socket }: Request, words: string[]): Promise<void> {
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket };
    return new Promise((sent) => {
      execFile('systemd-notify', [`--pid=${process.pid}`, ...words], { env, timeout: 5000 }, (error) => {
        if (error !== null && !this.#failed) {
          this.#failed = true;
          this.#logger.error(
            { error: { message: error.message } },
            'systemd cannot be told how the service is',
          );
        }
        sent();
      });
    });
  }
}

function takeRequest(env: NodeJS.ProcessEnv, pid: number): Request | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  delete env.NOTIFY_SOCKET;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (!socket) return undefined;
  const forUs = watched === undefined || watched === String(pid);
  const microseconds = Number(usec);
  return { socket, watchdogMs: forUs && microseconds > 0 ? microseconds / 1000 : undefined };
}
