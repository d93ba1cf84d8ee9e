/**
 * Server-sent events (WHATWG HTML §9.2) with limits on the number and lifetime of streams, and with
 * backpressure: nothing is read for a client before it has received the previous messages. A client
 * that is too slow is disconnected, and resumes with Last-Event-ID.
 */
import type { Logger } from 'pino';
import type { JobId, OrderId } from '../../domain/ids.ts';
import type { Notifications } from '../../prisma/client/listen.ts';
import { createWakeup } from '../../prisma/client/wakeup.ts';
import { ProblemError } from './problems.ts';

/** One message of a stream. A client resumes after it with `id`. */
export interface SseMessage {
  readonly id: string;
  readonly type: string;
  readonly data: object;
}

export interface SseSource {
  /** Only events of this order wake the stream; null: all events. Nothing wakes that of a job: it polls. */
  readonly subject: OrderId | JobId | null;
  /** Reads the next batch of messages; empty when there are none. */
  next(): Promise<readonly SseMessage[]>;
  /** The cursor after the last message from `next`. */
  cursor(): string;
}

export interface StreamLimits {
  readonly maxStreams: number;
  /** Of one API key, so that no client takes all of them. */
  readonly maxPerKey: number;
  readonly heartbeatMs: number;
  /** The time that a client has to receive what was sent. */
  readonly drainMs: number;
  /** Bounds the delay after a lost notification. */
  readonly pollMs: number;
  /** Bounds the use of a revoked key and the cost of an idle client. */
  readonly lifetimeMs: number;
}

export interface StreamClient {
  readonly apiKeyId: string;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

export interface EventStreams {
  /** Returns the response body. Throws ProblemError `too_many_streams`. */
  open(source: SseSource, client: StreamClient): ReadableStream<Uint8Array>;
  count(): number;
  /** Ends all streams. Later ones are refused. */
  close(): void;
}

const LIMITS: StreamLimits = {
  maxStreams: 100,
  maxPerKey: 40,
  heartbeatMs: 15_000,
  drainMs: 10_000,
  pollMs: 1_000,
  lifetimeMs: 15 * 60_000,
};
/** Coalesces notifications, because a busy shop writes hundreds of events per second. */
const COALESCE_MS = 50;
const RETRY_SECONDS = 10;
/** Clients wait this long before they reconnect. */
const RETRY = 'retry: 2000\n';
const HEARTBEAT = ': heartbeat\n';

interface OpenStream {
  readonly apiKeyId: string;
  readonly subject: SseSource['subject'];
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
      for (const stream of streams) if (wakes(stream.subject)) stream.wake();
    }),
  );
  return {
    open(source, client) {
      const { maxStreams, maxPerKey } = limits;
      const own = [...streams].filter(({ apiKeyId }) => apiKeyId === client.apiKeyId).length;
      if (closed || streams.size >= maxStreams || own >= maxPerKey) {
        const most = `${maxStreams} open streams of this kind, and ${maxPerKey} of one API key`;
        const detail = `The limit is ${most}. Retry later.`;
        const retryAfterSeconds = RETRY_SECONDS;
        throw new ProblemError({ code: 'too_many_streams', detail, retryAfterSeconds });
      }
      const { body, stream, done } = openStream(source, limits, client);
      streams.add(stream);
      void done
        .then((reason) => {
          if (reason === 'fell_behind')
            deps.log.info('slow client disconnected from an event stream');
        })
        .catch((error: unknown) => deps.log.warn({ err: error }, 'event stream failed'))
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

/** Coalesces notifications within `COALESCE_MS` into one wakeup. */
function coalesce(wake: (wakes: (subject: SseSource['subject']) => boolean) => void) {
  let notified = new Set<string | null>();
  return (orderId: string | null): void => {
    if (notified.size === 0) {
      setTimeout(() => {
        const all = notified;
        notified = new Set();
        wake((id) => id === null || all.has(null) || all.has(id));
      }, COALESCE_MS).unref();
    }
    notified.add(orderId);
  };
}

function openStream(source: SseSource, limits: StreamLimits, { apiKeyId, signal }: StreamClient) {
  const pending = createWakeup();
  const drained = createWakeup();
  const encoder = new TextEncoder();
  let ended = signal.aborted;
  const end = (): void => {
    ended = true;
    pending.signal();
    drained.signal();
  };
  signal.addEventListener('abort', end, { once: true });
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  // With a high-water mark of 0, `pull` is called only after the client has received everything.
  const body = new ReadableStream<Uint8Array>(
    { start: (each) => void (controller = each), pull: drained.signal, cancel: end },
    { highWaterMark: 0 },
  );
  /** False when the client did not receive the previous messages in time. */
  const send = async (text: string): Promise<boolean> => {
    const isDrained = await drained.waitUntil(limits.drainMs);
    if (isDrained && !ended) controller?.enqueue(encoder.encode(text));
    return isDrained;
  };
  const done = run(source, { pending, send, limits, hasEnded: () => ended })
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
  const stream = { apiKeyId, subject: source.subject, wake: pending.signal, end };
  return { body, done, stream };
}

interface StreamRun {
  readonly pending: ReturnType<typeof createWakeup>;
  readonly limits: StreamLimits;
  send(text: string): Promise<boolean>;
  hasEnded(): boolean;
}

/** Sends the available messages, then waits for more, until the stream ends. */
async function run(
  source: SseSource,
  { pending, send, limits, hasEnded }: StreamRun,
): Promise<'ended' | 'fell_behind'> {
  const endsAt = performance.now() + limits.lifetimeMs;
  let sentAt = performance.now();
  let text = RETRY + formatCursor(source);
  while (!hasEnded() && performance.now() < endsAt) {
    if (text !== '') {
      if (!(await send(text))) return 'fell_behind';
      sentAt = performance.now();
    }
    const messages = await source.next();
    text = messages.map(formatMessage).join('');
    if (text !== '' || hasEnded()) continue;
    const heartbeatInMs = sentAt + limits.heartbeatMs - performance.now();
    const leftMs = endsAt - performance.now();
    await pending.waitUntil(Math.max(0, Math.min(limits.pollMs, heartbeatInMs, leftMs)));
    if (performance.now() - sentAt >= limits.heartbeatMs) text = HEARTBEAT + formatCursor(source);
  }
  return 'ended';
}

/** A bare id is not an event, but lets a client that has received none resume from here. */
function formatCursor(source: SseSource): string {
  return `id: ${source.cursor()}\n\n`;
}

/** JSON text contains no line breaks, so one `data:` line is enough. */
function formatMessage({ id, type, data }: SseMessage): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Closing throws when a disconnected client has already closed the stream. */
function closeQuietly(controller: ReadableStreamDefaultController | undefined): void {
  try {
    controller?.close();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
