/** Sources of event streams and lists: the whole log by cursor, or one order by sequence number. */
import { cloudEventOf, type CloudEvent } from '../../domain/cloud-event.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { EventType, Order } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  cursorNow,
  findEvent,
  isLogCursor,
  isWithinLog,
  readLog,
  type LogCursor,
  type LoggedEvent,
  type LogPage,
  type LogQuery,
} from '../../prisma/events/event-log.ts';
import { listOrderEvents } from '../../prisma/orders/orders.ts';
import type { SseSource } from '../http/sse.ts';
import type { TimelineView } from '../orders/timeline.ts';

const BATCH = 100;
/** After this many empty reads the cursor moves to the end, so that a filter does not rescan rows. */
const SKIP_AFTER_EMPTY_READS = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SEQUENCE = /^\d{1,9}$/;

/** Reads the log. Concurrent readers with the same query share its result. */
export type LogTail = (query: LogQuery) => Promise<LogPage>;

export function createLogTail(db: Database): LogTail {
  const pending = new Map<string, Promise<LogPage>>();
  return (query) => {
    const key = JSON.stringify(query);
    const shared = pending.get(key);
    if (shared) return shared;
    const read = readLog(db, query).finally(() => pending.delete(key));
    pending.set(key, read);
    return read;
  };
}

/** An event of the feed: a CloudEvent with the cursor after it. */
export function feedEvent(event: LoggedEvent): CloudEvent & { readonly cursor: string } {
  return { ...cloudEventOf(event), cursor: event.cursor };
}

/** Parses a cursor or an event id; null when it is invalid, unknown or beyond the end of the log. */
export async function cursorPosition(db: Database, text: string): Promise<LogCursor | null> {
  if (isLogCursor(text)) return (await isWithinLog(db, text)) ? text : null;
  if (!UUID.test(text)) return null;
  return (await findEvent(db, text))?.cursor ?? null;
}

/** The log after a cursor. */
export function feedSource(
  { db, log }: { readonly db: Database; readonly log: LogTail },
  from: { readonly after: LogCursor; readonly types: readonly EventType[] },
): SseSource {
  let { after } = from;
  let emptyReads = 0;
  return {
    subject: null,
    async next() {
      emptyReads += 1;
      const skipsToEnd = from.types.length > 0 && emptyReads % SKIP_AFTER_EMPTY_READS === 0;
      const query = { after, types: from.types, limit: BATCH };
      // Reads the end first, and not through `log`: a shared read may have begun before that.
      const end = skipsToEnd ? await cursorNow(db) : null;
      const { events, next } = await (skipsToEnd ? readLog(db, query) : log(query));
      if (events.length > 0) emptyReads = 0;
      after = next === after ? (end ?? after) : next;
      return events.map((event) => ({
        id: event.cursor,
        type: event.type,
        data: feedEvent(event),
      }));
    },
    cursor: () => after,
  };
}

/** Parses the sequence number or the id of an event of the order; null for any other. */
export async function timelinePosition(
  db: Database,
  order: Order,
  text: string,
): Promise<number | null> {
  // Each event increments the version, and has it as its sequence number.
  if (SEQUENCE.test(text)) return Number(text) <= order.version ? Number(text) : null;
  const event = UUID.test(text) ? await findEvent(db, text) : null;
  return event?.orderId === order.id ? event.seq : null;
}

/** One order's events after a sequence number, as a reader sees them. */
export function timelineSource(
  db: Database,
  orderId: OrderId,
  from: { readonly after: number; readonly view: TimelineView },
): SseSource {
  const { types, entry } = from.view;
  let seq = from.after;
  return {
    subject: orderId,
    async next() {
      const events = await listOrderEvents(db, orderId, { after: seq, types, limit: BATCH });
      seq = events.at(-1)?.seq ?? seq;
      return events.map((event) => ({
        id: String(event.seq),
        type: event.type,
        data: entry(event),
      }));
    },
    cursor: () => String(seq),
  };
}
