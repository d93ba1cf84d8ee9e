/** pg's pool with a bounded queue: a request beyond the bound fails at once instead of waiting. */
import pg from 'pg';

export interface PoolView {
  readonly inUse: number;
  /** Requests that wait for a connection. */
  readonly queued: number;
}

/** The queue is full. The message is known to errors.ts. */
export class PoolExhaustedError extends Error {
  override readonly name = 'PoolExhaustedError';

  constructor() {
    super('too many requests wait for a database connection');
  }
}

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** `connectionTimeoutMillis` bounds both the wait for a free connection and for a new one. */
export class BoundedPool extends pg.Pool {
  readonly #maxQueued: number;

  constructor(config: pg.PoolConfig, maxQueued: number) {
    super(config);
    this.#maxQueued = maxQueued;
    // pg-pool stops listening before the borrower starts to. An error in between, in the same packet as
    // the response that freed the connection, would end the process; the next query reports it instead.
    this.on('connect', (client) => client.on('error', () => undefined));
    // A dropped idle connection is replaced at the next query, which fails when that is impossible. One
    // that is dropped while the pool ends is reported, too.
    this.on('error', () => undefined);
  }

  get view(): PoolView {
    return { inUse: this.totalCount - this.idleCount, queued: this.waitingCount };
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const isFull = this.waitingCount >= this.#maxQueued;
    if (callback === undefined) {
      return isFull ? Promise.reject(new PoolExhaustedError()) : super.connect();
    }
    if (isFull) callback(new PoolExhaustedError(), undefined, () => undefined);
    else super.connect(callback);
  }
}
