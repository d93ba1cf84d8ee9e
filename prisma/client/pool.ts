/**
 * The connections of one process and the line in front of them. Who waits is given up when the line
 * stands still, not when it is merely long: a slow machine still serves everybody in turn, and a
 * database that is away or full is noticed within half a second. It knows nothing of Prisma.
 */
import pg from 'pg';

export interface PoolLimits {
  readonly maxConnections: number;
  readonly maxWaiting: number;
  /** Nobody has got a connection for so long: whoever has waited as long is given up. */
  readonly stalledAfterMs: number;
  /** The same while a connection is being made: a busy machine takes its time for that. */
  readonly connectTimeoutMs: number;
  /** However well the line moves, nobody waits longer. */
  readonly maxWaitMs: number;
}

export interface PoolView {
  readonly inUse: number;
  readonly queued: number;
}

/** No connection became free in time. The message is known to errors.ts. */
export class PoolExhaustedError extends Error {
  override readonly name = 'PoolExhaustedError';

  constructor() {
    super('no database connection became free');
  }
}

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** Asks the pool for the connection. */
type Waiting = () => void;

export class BoundedPool extends pg.Pool {
  readonly #limits: PoolLimits;
  readonly #line = new Set<Waiting>();
  #inUse = 0;
  #established = 0;
  #lastMoveMs = 0;

  constructor(config: pg.PoolConfig, limits: PoolLimits) {
    super({
      ...config,
      max: limits.maxConnections,
      connectionTimeoutMillis: limits.connectTimeoutMs,
    });
    this.#limits = limits;
    this.on('acquire', () => {
      this.#lastMoveMs = performance.now();
    });
    this.on('release', () => this.#freeOne());
    this.on('connect', () => {
      this.#established += 1;
    });
    this.on('remove', () => {
      this.#established -= 1;
    });
  }

  /** Connections given out now, and how many wait for one. */
  get view(): PoolView {
    return { inUse: this.#inUse, queued: this.#line.size };
  }

  /** Fails with PoolExhaustedError when the line is full or stands still. */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    if (callback !== undefined) return this.#enter(callback);
    return new Promise((resolve, reject) => {
      this.#enter((error, client) => {
        if (client === undefined) reject(error ?? new PoolExhaustedError());
        else resolve(client);
      });
    });
  }

  #enter(callback: ConnectCallback): void {
    if (this.#line.size >= this.#limits.maxWaiting) return refuse(callback);
    let givenUp = false;
    const stopWatching = this.#watch(() => {
      givenUp = true;
      this.#line.delete(proceed);
      refuse(callback);
    });
    const proceed: Waiting = () => {
      this.#inUse += 1;
      super.connect((error, client, done) => {
        stopWatching();
        // Nothing was acquired, so nothing will be released.
        if (client === undefined) this.#freeOne();
        if (!givenUp) callback(error, client, done);
        // It came too late for the one who asked: the next one gets it.
        else client?.release();
      });
    };
    if (this.#inUse < this.#limits.maxConnections) proceed();
    else this.#line.add(proceed);
  }

  /** Calls `giveUp` when the line has stood still for too long, or it was too long altogether. */
  #watch(giveUp: () => void): () => void {
    const { stalledAfterMs, connectTimeoutMs, maxWaitMs } = this.#limits;
    const startedMs = performance.now();
    let timer: NodeJS.Timeout;
    const leftMs = (): number => {
      const isConnecting = this.totalCount > this.#established;
      const patienceMs = isConnecting ? connectTimeoutMs : stalledAfterMs;
      const stalledAtMs = Math.max(startedMs, this.#lastMoveMs) + patienceMs;
      return Math.min(stalledAtMs, startedMs + maxWaitMs) - performance.now();
    };
    const look = (): void => {
      // A process that was busy itself first hears what the database has said meanwhile.
      setImmediate(() => {
        if (ended) return;
        if (leftMs() <= 0) giveUp();
        else lookLater();
      });
    };
    const lookLater = (): void => {
      timer = setTimeout(look, Math.min(leftMs(), stalledAfterMs));
    };
    let ended = false;
    lookLater();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }

  #freeOne(): void {
    this.#inUse -= 1;
    // `release` is said before the connection is back among the idle ones.
    process.nextTick(() => {
      const [first] = this.#line;
      if (first === undefined || this.#inUse >= this.#limits.maxConnections) return;
      this.#line.delete(first);
      first();
    });
  }
}

function refuse(callback: ConnectCallback): void {
  callback(new PoolExhaustedError(), undefined, () => undefined);
}
