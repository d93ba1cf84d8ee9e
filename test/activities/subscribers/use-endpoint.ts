/** A webhook endpoint of a shop with a history: events handed to it, its receiver, what the pump learns. */
import { afterEach, beforeAll, beforeEach } from 'vitest';
import { describeFailure } from '../../../activities/events/pump.ts';
import {
  PartialFailure,
  type Subscriber,
} from '../../../activities/events/subscribers/subscriber.ts';
import { createWebhookSubscriber } from '../../../activities/events/subscribers/webhook.ts';
import { createWebhookSender, type WebhookSender } from '../../../gateways/webhooks/sender.ts';
import type { Database } from '../../../prisma/client/client.ts';
import type { SecretCipher } from '../../../prisma/client/secret-cipher.ts';
import type { LoggedEvent } from '../../../prisma/events/event-log.ts';
import { listAttempts } from '../../../prisma/events/webhook-attempts.ts';
import { createEndpoint, deleteEndpoint } from '../../../prisma/events/webhook-endpoints.ts';
import { findSigningEndpoint, rotateSecret } from '../../../prisma/events/webhook-secrets.ts';
import { SCENARIOS, NEVER, useHistory } from './history.ts';
import { claimOf } from '../../prisma/seeded-database.ts';
import { CIPHER } from '../../support/shop.ts';
import { startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';

/** More than are sent to side by side. */
export const ORDERS = 30;
export const OPERATOR = { apiKeyId: 'key_operator', correlationId: 'asked' };
export const STORED = () => ({ status: 201, body: '{}' });
/** Nothing here is late on a busy machine. */
export const SENDER = createWebhookSender({ allowLocal: true, deadlineMs: 30_000 });

type Failure = ReturnType<typeof describeFailure> & { readonly id: string };
type Attempts = Awaited<ReturnType<typeof listAttempts>>['attempts'];

export interface EndpointInUse {
  readonly db: Database;
  /** Everything that happened to the orders. */
  readonly log: readonly LoggedEvent[];
  /** Of the test that runs; so is the endpoint. */
  readonly receiver: WebhookReceiver;
  readonly id: string;
  event(at?: number): LoggedEvent;
  subscriber(by?: WebhookSender): Promise<Subscriber>;
  hand(events: readonly LoggedEvent[], by?: WebhookSender): Promise<void>;
  /** What the pump learns of each event that was not taken. */
  failures(events: readonly LoggedEvent[], by?: WebhookSender): Promise<readonly Failure[]>;
  /** Gives it a new secret; its key is that of all tests by default. */
  rotate(cipher?: SecretCipher): Promise<void>;
  /** Stores its secret as another key encrypts it. */
  seal(cipher: SecretCipher): Promise<void>;
  secrets(cipher?: SecretCipher): Promise<readonly string[]>;
  attempts(): Promise<Attempts>;
}

/** For a test file: one history for all of it, an endpoint and its receiver for each test. */
export function useEndpoint(): EndpointInUse {
  const history = useHistory();
  let log: readonly LoggedEvent[];
  let receiver: WebhookReceiver;
  let endpointId: string;
  beforeAll(async () => {
    for (let at = 0; at < ORDERS; at += 1) {
      await history.live({ scenario: SCENARIOS[at % SCENARIOS.length] ?? 'placed' });
    }
    log = await history.log();
  });
  beforeEach(async () => {
    receiver = await startReceiver();
    const wanted = { url: receiver.url, types: [], by: OPERATOR, cipher: CIPHER, response: STORED };
    const created = await createEndpoint(history.db, claimOf(), wanted);
    if (created.kind !== 'created') throw new Error(created.kind);
    endpointId = created.endpoint.id;
  });
  afterEach(async () => {
    await deleteEndpoint(history.db, endpointId, OPERATOR);
    await receiver.close();
  });

  const endpoint: EndpointInUse = {
    get db() {
      return history.db;
    },
    get log() {
      return log;
    },
    get receiver() {
      return receiver;
    },
    get id() {
      return endpointId;
    },
    event(at = 0) {
      const found = log[at];
      if (!found) throw new Error('the log is too short');
      return found;
    },
    async subscriber(by = SENDER) {
      const found = await createWebhookSubscriber(
        { db: history.db, cipher: CIPHER, sender: by },
        endpointId,
      );
      if (!found) throw new Error('no such endpoint');
      return found;
    },
    hand: async (events, by) => (await endpoint.subscriber(by)).handle(events, NEVER),
    failures: (events, by) => failuresOf(events, endpoint.hand(events, by)),
    async rotate(cipher = CIPHER) {
      const wanted = { id: endpointId, by: OPERATOR, cipher, response: STORED };
      await rotateSecret(history.db, claimOf(), wanted);
    },
    async seal(cipher) {
      const [secret = ''] = await endpoint.secrets();
      const data = { secret: cipher.encrypt(secret, endpointId) };
      await history.db.webhookEndpoint.update({ where: { id: endpointId }, data });
    },
    secrets: async (cipher = CIPHER) =>
      (await findSigningEndpoint(history.db, cipher, endpointId))?.secrets ?? [],
    attempts: async () => (await listAttempts(history.db, { endpointId }, { limit: 100 })).attempts,
  };
  return endpoint;
}

async function failuresOf(
  events: readonly LoggedEvent[],
  handing: Promise<void>,
): Promise<readonly Failure[]> {
  try {
    await handing;
    return [];
  } catch (error) {
    const failed =
      error instanceof PartialFailure ? error.failed : events.map((event) => ({ event, error }));
    return failed.map(({ event, error: each }) => ({ id: event.id, ...describeFailure(each) }));
  }
}
