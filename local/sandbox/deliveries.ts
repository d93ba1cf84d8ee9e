/**
 * Messages a provider owes the shop: signed POSTs, repeated with the same id until a 2xx, bounded in
 * tries, in number and in parallel. Owed messages survive a restart.
 */
import { z } from 'zod';
import type { Faults, Mode, Place } from './faults.ts';
import type { Journal, Table } from './journal.ts';
import { createSerialQueue } from './serial-queue.ts';

const deliverySchema = z.object({
  /** Constant over tries and duplicates: the receiver recognises a repeat by it. */
  message_id: z.string(),
  url: z.string(),
  body: z.string(),
  due_at_ms: z.number(),
  tries: z.int(),
});
type Delivery = z.output<typeof deliverySchema>;
type Message = Pick<Delivery, 'message_id' | 'url' | 'body'>;

export interface Deliveries {
  /** Owes the message to the shop; a fault armed at this place may delay or double it. */
  enqueue(message: Message): void;
  close(): Promise<void>;
}

export interface DeliveryOptions {
  readonly journal: Journal;
  readonly faults: Faults;
  readonly place: Place;
  /** Headers of one try. Signed anew each time: receivers refuse old timestamps. */
  readonly sign: (delivery: Message, nowMs: number) => Record<string, string>;
  /** One wait per repeat; after the last one the message is given up. */
  readonly retryDelaysMs: readonly number[];
}

/** Eight tries over about four minutes. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000, 120_000] as const;

const TRY_TIMEOUT_MS = 10_000;
const MAX_OWED = 20_000;
const MAX_PARALLEL = 16;
const MODES_OF_MESSAGE: readonly Mode[] = ['duplicate', 'late', 'latency'];
const MODES_OF_TRY: readonly Mode[] = ['fail_before', 'answer_lost', 'hang', 'down'];

export function createDeliveries(options: DeliveryOptions): Deliveries {
  const owed: Table<Delivery> = options.journal.table({
    name: 'deliveries',
    row: deliverySchema,
    limit: MAX_OWED,
  });
  const queue = createSerialQueue({
    maxParallel: MAX_PARALLEL,
    work: async (id, stop) => {
      const delivery = owed.get(id);
      if (delivery === undefined) return;
      const taken = await tryOnce(options, delivery, stop);
      if (stop.aborted) return;
      const delayMs = options.retryDelaysMs[delivery.tries];
      if (taken || delayMs === undefined) owed.delete(id);
      else owe(id, { ...delivery, tries: delivery.tries + 1, due_at_ms: Date.now() + delayMs });
    },
  });

  function owe(id: string, delivery: Delivery): void {
    owed.set(id, delivery);
    queue.add(id, delivery.due_at_ms);
  }

  for (const [id, delivery] of owed.entries()) queue.add(id, delivery.due_at_ms);
  return {
    enqueue: (message) => {
      const strike = options.faults.strike(options.place, MODES_OF_MESSAGE);
      const delivery = { ...message, due_at_ms: Date.now() + (strike?.waitMs ?? 0), tries: 0 };
      owe(message.message_id, delivery);
      if (strike?.mode === 'duplicate') owe(`${message.message_id}/again`, delivery);
    },
    close: () => queue.close(),
  };
}

/** True when the receiver took the message and its answer came back. */
async function tryOnce(
  options: DeliveryOptions,
  delivery: Delivery,
  stop: AbortSignal,
): Promise<boolean> {
  const strike = options.faults.strike(options.place, MODES_OF_TRY);
  if (strike?.mode === 'down' || strike?.mode === 'fail_before') return false;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TRY_TIMEOUT_MS)]);
  if (strike?.mode === 'hang') return ended(signal);
  try {
    const answer = await fetch(delivery.url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...options.sign(delivery, Date.now()),
      },
      body: delivery.body,
      redirect: 'manual',
      signal,
    });
    await answer.body?.cancel();
    return answer.ok && strike?.mode !== 'answer_lost';
  } catch {
    // Whatever kept the receiver from answering, the message is still owed.
    return false;
  }
}

function ended(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
}
