/**
 * The fault matrix as data: every step of an order crossed with every way it can fail, and what must
 * be true then. Tests name the cells they prove in their titles (matrix-case.ts); the report checks them against this.
 */

/** F1 to F6: how a step can fail. */
export const FAULTS = {
  F1: 'fails before the effect',
  F2: 'effect done, response lost',
  F3: 'no response in time',
  F4: 'the same twice',
  F5: 'process killed inside',
  F6: 'down for hours',
} as const;
export type Fault = keyof typeof FAULTS;

interface Row {
  readonly step: string;
  readonly expects: Readonly<Record<Fault, string>>;
}

const row = (step: string, expects: Row['expects']): Row => ({ step, expects });

export const MATRIX = {
  S0: row('accept, claim key', {
    F1: 'Retryable 503, nothing stored; the same key places one order afterwards.',
    F2: 'The retry under the same key continues the stored order, or gets its response.',
    F3: 'A retry gets 409 in flight, or the stored response; never a second order.',
    F4: 'One order and byte-identical responses; another body under the key is 422.',
    F5: 'The lease on the key ends, and the next retry takes the order over.',
    F6: 'Database down: 503 with Retry-After at once, service again when it is back.',
  }),
  S1: row('hold stock', {
    F1: 'Retryable 503 and nothing held.',
    F2: 'The hold is stored with its order, and the retry under the same key uses it.',
    F3: '503 when the deadline passes; nothing stays held.',
    F4: 'Held once, however often the key is sent.',
    F5: 'Nothing is held by an order that does not exist.',
    F6: 'Nothing is accepted that was not held: 503.',
  }),
  S2: row('authorize', {
    F1: 'Looked up, then 503; the retry places the order, authorized once.',
    F2: 'Looked up by the order, then placed, authorized once.',
    F3: 'Looked up, then 503; without a retry it expires and the authorization is voided.',
    F4: 'The provider sees the same key again and authorizes once.',
    F5: 'An authorization without a placed order is found and voided.',
    F6: 'An open circuit gives 503 at once; no hold is left forever.',
  }),
  A1: row('confirm (3-D Secure)', {
    F1: 'Still waiting, and the shopper is asked again; one order, authorized once.',
    F2: 'Looked up by each process that says it is done: placed once, authorized once.',
    F3: '503 when the deadline passes; nothing changes, and the next confirm places it.',
    F4: 'Page and webhook at once, twice, late or in any order: placed once.',
    F5: 'Continued from what is stored: one authorization and one capture, or none.',
    F6: 'Waits while the provider is down, also past its deadline; then placed or expired, once.',
  }),
  S3: row('record the order', {
    F1: 'Rolled back as a whole; a retry places it, or it expires and the money is voided.',
    F2: 'Read back by its key, never inserted again: one order, one event per change.',
    F3: 'As F2: the retry finds what the database decided.',
    F4: 'The order is placed once, with one event.',
    F5: 'The commit decides: placed and started, or pending and expired.',
    F6: '503; when the database is back, the same key places the order.',
  }),
  S4: row('start the workflow', {
    F1: 'Started from the event log.',
    F2: 'Already started counts as started.',
    F3: 'As F2: started again by the event log, one run.',
    F4: 'One workflow and one run, however often it is started.',
    F5: 'Another process starts it from the event log.',
    F6: 'The order stays placed and starts when Temporal is back.',
  }),
  S5: row('reserve', {
    F1: 'Tried again; a refusal cancels the order.',
    F2: 'Tried again under the same key: reserved once.',
    F3: 'Tried again under the same key: reserved once.',
    F4: 'The second time changes nothing.',
    F5: 'Done again by another worker, reserved once.',
    F6: 'Waits; past its deadline the order is cancelled automatically.',
  }),
  S6: row('capture', {
    F1: 'Tried again; a refusal cancels the order.',
    F2: 'Looked up before it is repeated: captured once.',
    F3: 'Never compensated on unknown: looked up until it is known, captured once.',
    F4: 'One capture under one key.',
    F5: 'Done again by another worker under the same key: captured once.',
    F6: 'Waits, and ships afterwards; past its deadline it needs attention.',
  }),
  S7: row('ship', {
    F1: 'Tried again; a refusal refunds and releases.',
    F2: 'Asked again under the same key: one parcel.',
    F3: 'Asked again under the same key: one parcel.',
    F4: 'One parcel, however often it is asked for.',
    F5: 'Done again by another worker: one parcel.',
    F6: 'The paid order says so, waits, and ships.',
  }),
  S8: row('notify, webhooks', {
    F1: 'Tried again on its schedule; the order ships meanwhile.',
    F2: 'Sent again under the same message id, for the receiver to know.',
    F3: 'Counts as a failure and is tried again.',
    F4: 'The same id every time, a new timestamp per attempt.',
    F5: 'Still due, and sent by another worker.',
    F6: 'Ten attempts over three days, then a dead letter; redriven, it is delivered.',
  }),
  S9: row('text message', {
    F1: 'Tried again; a refusal is a dead letter. The order ships meanwhile.',
    F2: 'Looked up by recipient and text before it is sent again: one message.',
    F3: 'Looked up before it is sent again: one message.',
    F4: 'Sent once: what is recorded is not sent, and what was sent is recorded.',
    F5: 'Looked up by another worker: one message.',
    F6: 'A day of tries, then a dead letter; redriven, it is sent. The order shipped.',
  }),
  C1: row('compensate: release', {
    F1: 'Tried again until released once.',
    F2: 'Released once.',
    F3: 'Released once.',
    F4: 'The second time changes nothing.',
    F5: 'Resumed by another worker: released once.',
    F6: 'Retried for hours, then needs attention; the other compensations have run.',
  }),
  C2: row('compensate: void, refund', {
    F1: 'Tried again until the money is back once.',
    F2: 'Looked up before it is repeated: refunded once.',
    F3: 'Looked up before it is repeated: refunded once.',
    F4: 'Never more given back than was captured.',
    F5: 'Resumed by another worker: given back once.',
    F6: 'Retried for hours, then needs attention and the debt is listed.',
  }),
  C3: row('compensate: cancel shipment', {
    F1: 'Tried again until the parcel is cancelled once.',
    F2: 'Cancelled once.',
    F3: 'Cancelled once.',
    F4: 'The second time changes nothing.',
    F5: 'Resumed by another worker: cancelled once.',
    F6: 'Tried for hours; a parcel that left meanwhile ships the order instead.',
  }),
  O1: row('relay events', {
    F1: 'The event stays due and is delivered later.',
    F2: 'Delivered again under the same event id.',
    F3: 'Delivered again under the same event id.',
    F4: 'A consumer processes an event once, however often it is delivered.',
    F5: 'Another worker continues from the cursor; nothing is skipped.',
    F6: 'A subscriber that is down delays no other, and gets everything afterwards.',
  }),
  CB: row('inbound callback', {
    F1: 'Not acknowledged, so the sender sends it again.',
    F2: 'Stored before it is acknowledged: sent again it is known.',
    F3: 'The sender sends it again; it counts once.',
    F4: 'Stored once and delivered once.',
    F5: 'Acknowledged only what is stored; what is stored is delivered later.',
    F6: 'Nothing arrives for hours: the shipment is looked up.',
  }),
} as const satisfies Readonly<Record<string, Row>>;
export type Step = keyof typeof MATRIX;

/** What happens to a part rather than to a step. */
export const INFRA = {
  'postgres-kill': { expects: 'No accepted order lost; 503 meanwhile; ready again soon after.' },
  'standby-failover': {
    expects: 'No accepted order lost with synchronous commit to the standby.',
  },
  'disk-full': {
    expects: 'Readable errors, no corruption, service again when there is room.',
  },
  'commit-ack-lost': { expects: 'Read back by key, never inserted twice.' },
  'temporal-down': { expects: 'Orders are accepted; the backlog drains when it is back.' },
  'worker-killed': { expects: 'Another worker continues; nothing is done twice.' },
  'partial-network': { expects: 'Deadlines fire, the pool does not drain, it recovers by itself.' },
  'callbacks-out-of-order': {
    expects: 'Processed, stored or ignored; an order only moves forward.',
  },
  clock: { expects: 'Signatures within 5 minutes; deadlines by one clock, not by each process.' },
  poison: { expects: 'Bounded attempts, then visible with its reason; neighbours unaffected.' },
  'pool-exhausted': { expects: '503 in time, recovery by itself, no connection leaked.' },
  'hot-sku': { expects: '1,000 buyers, 100 units: exactly 100 sold, the others refused at once.' },
  overload: { expects: 'Rejected early; what is accepted gets its response.' },
  'history-limit': { expects: 'Ten thousand messages to one order: bounded, and it still ends.' },
  'rolling-restart': { expects: 'No request fails, no effect happens twice.' },
} as const satisfies Readonly<Record<string, { expects: string }>>;
export type Infra = keyof typeof INFRA;

/** Cells that cannot exist, each with the reason. */
export const VOID: Readonly<Partial<Record<CellId, string>>> = {};

export type CellId = `${Step}/${Fault}` | `infra/${Infra}` | `failpoint/${string}`;

/** What must be true in one cell, in plain words. Throws for an id that is not in the table. */
export function expectationOf(id: CellId): string {
  const [group, name] = [id.slice(0, id.indexOf('/')), id.slice(id.indexOf('/') + 1)];
  const found = isKey(MATRIX, group) && isKey(FAULTS, name) && MATRIX[group].expects[name];
  if (found) return found;
  if (group === 'infra' && isKey(INFRA, name)) return INFRA[name].expects;
  if (group === 'failpoint') return 'Nothing lost and nothing twice, whenever the process dies.';
  throw new Error(`no such cell: ${id}`);
}

/** The cells that a test's title begins with. Throws for one that is not in the table. */
export function parseCellIds(title: string): readonly CellId[] {
  const ids = [...title.matchAll(/\[([\w-]+\/[\w.:-]+)\]/g)].map(([, id = '']) => cellId(id));
  for (const id of ids) expectationOf(id);
  return ids;
}

/** An id made of the table's keys, or taken from a title and looked up in the table. */
export function cellId(id: string): CellId {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- no type follows from the text
  return id as CellId;
}

function isKey<T extends object>(table: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(table, key);
}
