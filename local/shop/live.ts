/**
 * The live part of an order's page: one stream of server-sent events to the browser, fed by the order's
 * timeline at the API (a stream too, read with the storefront's key) and by the calls at the providers. It
 * ends some time after the order has ended; if the API goes away, the browser asks again, and is sent
 * everything once more.
 */
import type { SSEStreamingApi } from 'hono/streaming';
import { setTimeout as delay } from 'node:timers/promises';
import { faultBanner, type Html, type Site } from '../web/page.ts';
import type { ShopApi, TimelineEntry } from './api.ts';
import { ApiUnavailable } from './connection.ts';
import { rowsOf, type Behind } from './behind.ts';
import { hasEnded, statusAfter, waitsForShopper } from './event-words.ts';
import { statusPart } from './order-page.ts';
import { summaryPart } from './order-summary.ts';
import type { Providers } from './providers.ts';

export interface LiveDeps {
  readonly api: ShopApi;
  readonly providers: Providers;
  readonly site: Site;
  /** How long the stream lives on after the order has ended; for tests. */
  readonly livesOnMs?: number;
}

const SUMMARY_EVENTS = /^(?:order\.(?:reserved|paid|payment_refunded)|refund\.\w+)$/;
/** Mails and webhooks follow the last status within moments. */
const LIVES_ON_MS = 10_000;

/** Sends rows to `stream` until the order has ended, the API ends its stream, or the browser leaves. */
export async function sendLive(
  stream: SSEStreamingApi,
  deps: LiveDeps,
  order: Omit<Behind, 'timeline'>,
): Promise<void> {
  const leaving = new AbortController();
  stream.onAbort(() => leaving.abort());
  const timeline: TimelineEntry[] = [];
  const sender = createSender(stream, deps, { ...order, timeline });
  const unsubscribe = deps.providers.calls.subscribe(sender.changed);
  try {
    sender.changed();
    let ending: Promise<void> | undefined;
    for await (const entry of deps.api.follow(order.orderId, leaving.signal)) {
      timeline.push(entry);
      sender.changed();
      if (hasEnded(statusAfter(timeline))) ending ??= endSoon(leaving, deps.livesOnMs);
    }
  } catch (error) {
    if (!leaving.signal.aborted && !(error instanceof ApiUnavailable)) throw error;
  } finally {
    unsubscribe();
  }
  await sender.idle();
  if (hasEnded(statusAfter(timeline))) await stream.writeSSE({ event: 'end', data: '' });
}

async function endSoon(leaving: AbortController, livesOnMs = LIVES_ON_MS): Promise<void> {
  await delay(livesOnMs, undefined, { ref: false });
  leaving.abort();
}

/** Sends what is new, one batch after the other; changes during a batch make one more. */
function createSender(stream: SSEStreamingApi, deps: LiveDeps, behind: Behind) {
  const sent = new Map<string, string>();
  let isWaiting = false;
  let summarized = 0;
  let last = Promise.resolve();

  async function send(event: string, id: string, message: object): Promise<void> {
    const data = JSON.stringify(message);
    if (sent.get(id) === data) return;
    sent.set(id, data);
    await stream.writeSSE({ event, data });
  }

  const remove = (id: string): Promise<void> => send('part', id, { id, html: '' });

  /** Once more after each event that changes what is sent or paid. */
  async function sendSummary(): Promise<void> {
    const { length } = behind.timeline.filter(({ type }) => SUMMARY_EVENTS.test(type));
    if (length === summarized) return;
    // Where the API does not answer, it is asked again at the next change.
    const order = await deps.api.order(behind.orderId).catch(() => null);
    if (order === null) return;
    summarized = length;
    await send('part', 'summary', { id: 'summary', html: await text(summaryPart(order)) });
  }

  async function sendNew(): Promise<void> {
    isWaiting = false;
    for (const { list, id, atMs, markup } of rowsOf(behind, deps.providers)) {
      if (!sent.has(id)) await send('row', id, { list, id, at: atMs, html: await text(markup) });
    }
    const { orderId, timeline } = behind;
    if (timeline.length > 0) {
      const status = statusAfter(timeline);
      await send('part', 'status', { id: 'status', html: await text(statusPart(status)) });
      // The shopper has nothing left to confirm, or to cancel.
      if (status !== 'pending' && !waitsForShopper(status)) await remove('bank');
      if (hasEnded(status)) await remove('cancel');
    }
    await sendSummary();
    const banner = faultBanner(deps.site.armed(), `/shop/orders/${orderId}`);
    await send('part', 'banner', { id: 'banner', html: await text(banner) });
  }

  return {
    changed(): void {
      if (isWaiting) return;
      isWaiting = true;
      last = last.then(sendNew);
    },
    idle: () => last,
  };
}

async function text(markup: Html): Promise<string> {
  return String(await markup);
}
