import { expect, test } from 'vitest';
import { z } from 'zod';
import { deadLetterMessages, markProcessed, storeMessage } from '../../prisma/events/inbox.ts';
import { eraseCustomer } from '../../prisma/privacy/erase.ts';
import { exportMessages } from '../../prisma/privacy/export.ts';
import { orderErased, whileLocked } from '../support/while-locked.ts';
import { useSeededDatabase } from './seeded-database.ts';

const shop = useSeededDatabase();

const EMAIL = 'ann@x.com';
/** What messages say, by the beginning of their ids. */
const OTHERS = {
  longer: '{"email": "joann@x.com"}',
  dotted: '{"email": "jo.ann@x.com"}',
  hyphened: '{"email": "jo-ann@x.com"}',
  shorter: '{"email": "ann@x.co"}',
  country: '{"email": "ann@x.com.au"}',
  company: '{"email": "ann@x.com-pany.example"}',
};
const THEIRS = {
  own: '{"email": "ANN@x.com"}',
  prose: '{"text": "Ask ann@x.com."}',
  line: String.raw`{"text": "Customer:\nann@x.com\nBerlin"}`,
  escaped: String.raw`{"text": "\u003cann@x.com\u003e"}`,
  quoted: '{"text": "„ann@x.com“"}',
};

test('a message belongs to the person whose whole address it names, and not to one whose address is a part of it', async () => {
  for (const [id, body] of Object.entries({ ...OTHERS, ...THEIRS })) await store(id, body);
  const ofAnn = await exportMessages(shop.db, EMAIL);
  expect(ofAnn.map(({ id }) => String(id)).toSorted()).toEqual(idsOf(THEIRS));
  // Of the line break before Ann's address no letter belongs to another address.
  expect(await exportMessages(shop.db, 'nann@x.com')).toEqual([]);

  await eraseCustomer(shop.db, { email: EMAIL, by: 'system', orders: 0 });
  const kept = await shop.db.inboxMessage.findMany({
    where: { OR: [{ body: { not: null } }, { payload: { not: {} } }] },
  });
  expect(kept.map(({ id }) => id).toSorted()).toEqual(idsOf(OTHERS));
});

test('a message that is processed after the erasure of its person keeps the ids that its handler needs, and no more', async () => {
  const message = {
    source: 'payments',
    id: 'open',
    type: 'refund.updated',
    orderId: null,
  } as const;
  const ids = { object: { type: 'refund', id: 're_1' }, reference: 'pi_1', refundedMinor: 5 };
  const body = new TextEncoder().encode(`{"receipt_email": "${EMAIL}"}`);
  await storeMessage(shop.db, { ...message, payload: { ...ids, receipt_email: EMAIL } }, body);
  await eraseCustomer(shop.db, { email: EMAIL, by: 'system', orders: 0 });
  const where = { source_id: { source: 'payments', id: 'open' } } as const;
  const left = await shop.db.inboxMessage.findUniqueOrThrow({ where });
  expect(left).toMatchObject({ payload: ids, body: null, processedAt: null });
});

test.each([
  ['processed', (ids: string[]) => markProcessed(shop.db, { source: 'payments', ids }, 'ignored')],
  [
    'closed as a dead letter',
    () => deadLetterMessages(shop.db, { source: 'payments', afterMs: 0, error: 'no answer' }),
  ],
])('a message that is %s while its order is being erased keeps nothing', async (outcome, close) => {
  const { id: orderId } = await shop.open();
  const message = { source: 'payments', id: outcome, type: 't', orderId } as const;
  const body = new TextEncoder().encode(EMAIL);
  await storeMessage(shop.db, { ...message, payload: { receipt_email: EMAIL } }, body);
  await whileLocked(shop.url, {
    first: orderErased(orderId),
    meanwhile: async () => void (await close([outcome])),
  });
  const left = await shop.db.inboxMessage.findFirstOrThrow({ where: { orderId } });
  expect(left).toMatchObject({ payload: {}, body: null, processedAt: expect.any(Date) });
});

/** Two processed messages: one that was not understood, and one that was. */
async function store(id: string, body: string): Promise<void> {
  const message = { source: 'payments', type: 't', orderId: null } as const;
  const [unclear, understood] = [`${id}: bytes`, `${id}: payload`] as const;
  const payload = z.record(z.string(), z.string()).parse(JSON.parse(body));
  const bytes = new TextEncoder().encode(body);
  await storeMessage(shop.db, { ...message, id: unclear, payload: {} }, bytes);
  await storeMessage(shop.db, { ...message, id: understood, payload });
  await markProcessed(shop.db, { ...message, ids: [unclear, understood] }, 'ignored');
}

function idsOf(messages: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(messages)
    .flatMap((id) => [`${id}: bytes`, `${id}: payload`])
    .toSorted();
}
