/**
 * Messages from a provider to the shop: signed POSTs, repeated with the same id until a 2xx, limited
 * in tries, in number and in parallel. Pending messages survive a restart.
 */
import { z } from 'zod';
import { orderIn, type CallLog } from './call-log.ts';
import { createDelayedQueue } from './delayed-queue.ts';
import type { Faults, Mode, Place, TriggeredFault } from './faults.ts';
import type { Journal } from './journal.ts';

const deliverySchema = z.object({
  /** Constant over tries and duplicates: the receiver recognizes a repeat by it. */
  message_id: z.string(),
  url: z.string(),
  body: z.string(),
  due_at_ms: z.number(),
  tries: z.int(),
});
type Delivery = z.output<typeof deliverySchema>;
type Message = Pick<Delivery, 'message_id' | 'url' | 'body'>;

export interface Deliveries {
  /** Sends the message until it is accepted; a fault armed at this place may delay or double it. */
  enqueue(message: Message): void;
  close(): Promise<void>;
}

export interface DeliveryOptions {
  readonly journal: Journal;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly place: Place;
  /** Headers of one try. Signed anew each time: receivers reject old timestamps. */
  readonly sign: (delivery: Message, nowMs: number) => Record<string, string>;
  /** One wait per repeat; after the last one the message is dropped. */
  readonly retryDelaysMs: readonly number[];
}

/** Eight tries over about four minutes. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000, 120_000] as const;

const TRY_TIMEOUT_MS = 10_000;
const MAX_PENDING = 20_000;
const MAX_PARALLEL = 16;
const MODES_OF_MESSAGE: readonly Mode[] = ['duplicate', 'late', 'latency'];
const MODES_OF_TRY: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];

export function createDeliveries(options: DeliveryOptions): Deliveries {
  const { journal, faults, place, retryDelaysMs } = options;
  const pending = journal.table({ name: 'deliveries', row: deliverySchema, limit: MAX_PENDING });
  const queue = createDelayedQueue({
    maxParallel: MAX_PARALLEL,
    work: async (id, stop) => {
      const delivery = pending.get(id);
      if (delivery === undefined) return;
      const isAccepted = await tryOnce(options, delivery, stop);
      if (stop.aborted) return;
      const delayMs = retryDelaysMs[delivery.tries];
      if (isAccepted || delayMs === undefined) pending.delete(id);
      else
        schedule(id, { ...delivery, tries: delivery.tries + 1, due_at_ms: Date.now() + delayMs });
    },
  });

  function schedule(id: string, delivery: Delivery): void {
    pending.set(id, delivery);
    queue.add(id, delivery.due_at_ms);
  }

  for (const [id, delivery] of pending.entries()) queue.add(id, delivery.due_at_ms);
  return {
    enqueue: (message) => {
      const fault = faults.trigger(place, MODES_OF_MESSAGE);
      const delivery = { ...message, due_at_ms: Date.now() + (fault?.waitMs ?? 0), tries: 0 };
      schedule(message.message_id, delivery);
      if (fault?.mode === 'duplicate') schedule(`${message.message_id}/again`, delivery);
    },
    close: () => queue.close(),
  };
}

/** True when the receiver accepted the message and its response arrived. */
async function tryOnce(
  options: DeliveryOptions,
  delivery: Delivery,
  stop: AbortSignal,
): Promise<boolean> {
  const { faults, calls, place } = options;
  const atMs = Date.now();
  const fault = faults.trigger(place, MODES_OF_TRY);
  const response = await send(options, { delivery, stop, fault });
  const status = response === null || fault?.mode === 'answer_lost' ? null : response.status;
  const orderId = orderIn(delivery.body);
  calls.record({
    ...place,
    atMs,
    orderId,
    status,
    fault: fault?.mode ?? null,
    replayed: delivery.tries > 0,
  });
  return response !== null && response.ok && fault?.mode !== 'answer_lost';
}

/** The receiver's response; null when there is none. */
async function send(
  { sign }: DeliveryOptions,
  attempt: {
    readonly delivery: Delivery;
    readonly stop: AbortSignal;
    readonly fault: TriggeredFault | null;
  },
): Promise<Response | null> {
  const { delivery, stop, fault } = attempt;
  if (fault?.mode === 'down' || fault?.mode === 'fail_before') return null;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TRY_TIMEOUT_MS)]);
  if (fault?.mode === 'hang') {
    await new Promise((resolve) => {
      if (signal.aborted) resolve(null);
      signal.addEventListener('abort', resolve, { once: true });
    });
    return null;
  }
  try {
    const response = await fetch(delivery.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...sign(delivery, Date.now()) },
      body: delivery.body,
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    return response;
  } catch {
    // Whatever the reason, the message stays pending.
    return null;
  }
}
