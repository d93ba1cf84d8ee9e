/**
 * Server-sent events (WHATWG HTML §9.2) with limits: so many streams per process, so long each, and
 * nothing is read for a client before it has taken what went before. One that does not take it
 * within the deadline is dropped; it comes back with Last-Event-ID.
 */
import type { Logger } from 'pino';
import type { OrderId } from '../../domain/ids.ts';
import type { Notifications } from '../../prisma/client/listen.ts';
import { createWakeup } from '../../prisma/client/wakeup.ts';
import { ProblemError } from './problems.ts';

/** One event of a stream. `id` is where to resume after it. */
export interface SseMessage {
  readonly id: string;
  readonly type: string;
  readonly data: object;
}

/** What a stream tells. */
export interface SseSource {
  /** Only this order's news wake the stream; null: everybody's. */
  readonly orderId: OrderId | null;
  /** The next frames, a bounded number; none when there is nothing new. */
  next(): Promise<readonly SseMessage[]>;
  /** Where to resume after all that `next` gave. */
  place(): string;
}

export interface StreamLimits {
  readonly maxStreams: number;
  readonly heartbeatMs: number;
  /** A client has this long to take what was sent. */
  readonly drainMs: number;
  /** A lost notification costs this much delay. */
  readonly pollMs: number;
  /** Then the stream ends, so that a revoked key or a forgotten client does not hold it for ever. */
  readonly lifetimeMs: number;
}

export interface EventStreams {
  /** The body of the answer. Throws ProblemError `too_many_streams`. */
  open(source: SseSource, signal: AbortSignal): ReadableStream<Uint8Array>;
  count(): number;
  /** Ends every stream; from now on none is opened. */
  close(): void;
}

const LIMITS: StreamLimits = {
  maxStreams: 100,
  heartbeatMs: 15_000,
  drainMs: 10_000,
  pollMs: 1_000,
  lifetimeMs: 15 * 60_000,
};
/** News within this time are one wake-up: a busy shop writes hundreds of events per second. */
const GATHER_MS = 50;
const RETRY_SECONDS = 10;
/** How long clients wait before they reconnect. */
const RETRY = 'retry: 2000\n';
const HEARTBEAT = ': heartbeat\n';

interface OpenStream {
  readonly orderId: OrderId | null;
  wake(): void;
  end(): void;
}

export function createEventStreams(deps: {
  readonly notifications: Notifications;
  readonly log: Logger;
  readonly limits?: Partial<StreamLimits> | undefined;
}): EventStreams {
  const limits = { ...LIMITS, ...deps.limits };
  const streams = new Set<OpenStream>();
  let closed = false;
  const unsubscribe = deps.notifications.subscribe(
    'holdfast_orders',
    coalesce((wakes) => {
      for (const stream of streams) if (wakes(stream.orderId)) stream.wake();
    }),
  );
  return {
    open(source, signal) {
      if (closed || streams.size >= limits.maxStreams) {
        const detail = `At most ${limits.maxStreams} streams of this kind are open at once.`;
        const retryAfterSeconds = RETRY_SECONDS;
        throw new ProblemError({ code: 'too_many_streams', detail, retryAfterSeconds });
      }
      const { body, stream, done } = openStream(source, limits, signal);
      streams.add(stream);
      void done
        .then((reason) => {
          if (reason === 'fell_behind') deps.log.info('an event stream fell behind: dropped');
        })
        .catch((error: unknown) => deps.log.warn({ err: error }, 'an event stream was cut'))
        .finally(() => streams.delete(stream));
      return body;
    },
    count: () => streams.size,
    close() {
      closed = true;
      unsubscribe();
      for (const stream of streams) stream.end();
    },
  };
}

/** Makes one wake-up of all that is told within `GATHER_MS`. */
function coalesce(wake: (wakes: (orderId: OrderId | null) => boolean) => void) {
  let told = new Set<string | null>();
  return (orderId: string | null): void => {
    if (told.size === 0) {
      setTimeout(() => {
        const all = told;
        told = new Set();
        wake((id) => id === null || all.has(null) || all.has(id));
      }, GATHER_MS).unref();
    }
    told.add(orderId);
  };
}

function openStream(source: SseSource, limits: StreamLimits, signal: AbortSignal) {
  const news = createWakeup();
  const matches = createWakeup();
  const encoder = new TextEncoder();
  let ended = signal.aborted;
  const end = (): void => {
    ended = true;
    news.ring();
    matches.ring();
  };
  signal.addEventListener('abort', end, { once: true });
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  // A high-water mark of 0: `pull` is called only when the client has taken everything.
  const body = new ReadableStream<Uint8Array>(
    { start: (given) => void (controller = given), pull: matches.ring, cancel: end },
    { highWaterMark: 0 },
  );
  /** False when the client did not take what was sent before in time. */
  const send = async (text: string): Promise<boolean> => {
    const taken = await matches.waitUntil(limits.drainMs);
    if (taken && !ended) controller?.enqueue(encoder.encode(text));
    return taken;
  };
  const done = tell(source, { news, send, limits, hasEnded: () => ended })
    .then(
      (reason) => {
        if (reason === 'fell_behind') controller?.error(new Error(reason));
        else closeQuietly(controller);
        return reason;
      },
      (error: unknown) => {
        closeQuietly(controller);
        throw error;
      },
    )
    .finally(() => signal.removeEventListener('abort', end));
  return { body, done, stream: { orderId: source.orderId, wake: news.ring, end } };
}

interface Telling {
  readonly news: ReturnType<typeof createWakeup>;
  readonly limits: StreamLimits;
  send(text: string): Promise<boolean>;
  hasEnded(): boolean;
}

/** Sends what there is, then waits for more, until the stream ends. */
async function tell(
  source: SseSource,
  { news, send, limits, hasEnded }: Telling,
): Promise<'ended' | 'fell_behind'> {
  const endsAt = performance.now() + limits.lifetimeMs;
  let sentAt = performance.now();
  let text = RETRY + formatCursor(source);
  while (!hasEnded() && performance.now() < endsAt) {
    if (text !== '') {
      if (!(await send(text))) return 'fell_behind';
      sentAt = performance.now();
    }
    const frames = await source.next();
    text = frames.map(frameText).join('');
    if (text !== '' || hasEnded()) continue;
    const quietMs = sentAt + limits.heartbeatMs - performance.now();
    const leftMs = endsAt - performance.now();
    await news.waitUntil(Math.max(0, Math.min(limits.pollMs, quietMs, leftMs)));
    if (performance.now() - sentAt >= limits.heartbeatMs) text = HEARTBEAT + formatCursor(source);
  }
  return 'ended';
}

/** An id alone is no event, but a client that has had none yet resumes after it as well. */
function formatCursor(source: SseSource): string {
  return `id: ${source.place()}\n\n`;
}

/** JSON has no line breaks of its own, so one `data:` line carries it. */
function frameText({ id, type, data }: SseMessage): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A client that has gone has closed it already. */
function closeQuietly(controller: ReadableStreamDefaultController | undefined): void {
  try {
    controller?.close();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
