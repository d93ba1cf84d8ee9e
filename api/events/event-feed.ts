/** What streams and lists of events are read from: the whole log by cursor, one order by sequence. */
import { cloudEventOf, type CloudEvent } from '../../domain/cloud-event.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { EventType } from '../../domain/order.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  cursorNow,
  findEvent,
  isLogCursor,
  readLog,
  type LogCursor,
  type LoggedEvent,
  type LogQuery,
} from '../../prisma/events/event-log.ts';
import { listOrderEventsAfter } from '../../prisma/events/order-timeline.ts';
import type { SseSource } from '../http/sse.ts';
import { timelineEntryBody } from '../orders/representations.ts';

const BATCH = 100;
/** A filter that matches nothing must not read the same rows for ever. */
const FOLLOW_AFTER_EMPTY_READS = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SEQUENCE = /^\d{1,9}$/;

/** Reads the log; readers that stand at the same place share one query. */
export type LogTail = (query: LogQuery) => Promise<readonly LoggedEvent[]>;

export function createLogTail(db: Database): LogTail {
  const underWay = new Map<string, Promise<readonly LoggedEvent[]>>();
  return (query) => {
    const key = JSON.stringify(query);
    const shared = underWay.get(key);
    if (shared) return shared;
    const read = readLog(db, query).finally(() => underWay.delete(key));
    underWay.set(key, read);
    return read;
  };
}

/** An event as the feed shows it: a CloudEvent with the place after it. */
export function feedEvent(event: LoggedEvent): CloudEvent & { readonly cursor: string } {
  return { ...cloudEventOf(event), cursor: event.cursor };
}

/** The place a client names by a cursor or by the id of an event; null when there is none such. */
export async function cursorPosition(db: Database, text: string): Promise<LogCursor | null> {
  if (isLogCursor(text)) return text;
  if (!UUID.test(text)) return null;
  return (await findEvent(db, text))?.cursor ?? null;
}

/** The log from a place on. */
export function feedSource(
  { db, log }: { readonly db: Database; readonly log: LogTail },
  from: { readonly after: LogCursor; readonly types: readonly EventType[] },
): SseSource {
  let { after } = from;
  let emptyReads = 0;
  return {
    orderId: null,
    async next() {
      emptyReads += 1;
      const follow = from.types.length > 0 && emptyReads % FOLLOW_AFTER_EMPTY_READS === 0;
      const query = { after, types: from.types, limit: BATCH };
      // In this order, and not shared: a read under way may have begun before the end was known.
      const end = follow ? await cursorNow(db) : null;
      const events = await (follow ? readLog(db, query) : log(query));
      const last = events.at(-1);
      if (last) emptyReads = 0;
      after = last?.cursor ?? end ?? after;
      return events.map((event) => ({
        id: event.cursor,
        type: event.type,
        data: feedEvent(event),
      }));
    },
    place: () => after,
  };
}

/** The sequence a client names by its number or by the id of an event of the order; null: none such. */
export async function timelinePosition(
  db: Database,
  orderId: OrderId,
  text: string,
): Promise<number | null> {
  if (SEQUENCE.test(text)) return Number(text);
  const event = UUID.test(text) ? await findEvent(db, text) : null;
  return event?.orderId === orderId ? event.seq : null;
}

/** One order's events from a sequence on. */
export function timelineSource(db: Database, orderId: OrderId, afterSeq: number): SseSource {
  let seq = afterSeq;
  return {
    orderId,
    async next() {
      const events = await listOrderEventsAfter(db, orderId, { seq, limit: BATCH });
      seq = events.at(-1)?.seq ?? seq;
      return events.map((event) => ({
        id: String(event.seq),
        type: event.type,
        data: timelineEntryBody(event),
      }));
    },
    place: () => String(seq),
  };
}
