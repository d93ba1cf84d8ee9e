/** The pattern publish/subscribe: a webhook receiver that fails delays no other and misses nothing. */
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { openReceiver, type Received, type Receiver } from '../../http-receiver.ts';
import {
  afterwards,
  announce,
  follow,
  placed,
  read,
  request,
  until,
  type PatternDemo,
  type Stage,
} from '../stage.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const TYPES = ['order.placed', 'order.shipped'];
const endpointSchema = z.object({ id: z.string(), secret: z.string() });
const subscriptionsSchema = z.object({
  data: z.array(z.object({ name: z.string(), behind: z.number() })),
});

export const publishSubscribe: PatternDemo = {
  story:
    'A webhook receiver fails: orders and other subscribers do not wait, and it misses no event.',
  async show(stage) {
    let isWorking = false;
    const receiver = await openReceiver(ANY_PORT, () => (isWorking ? 204 : 500));
    const { id, secret } = await createEndpoint(stage, receiver.port);
    try {
      const orderId = await placed(stage);
      await follow(stage, orderId, 'shipped');
      await untilReceived(stage, receiver, 500);
      announce(stage, `the receiver has refused ${receiver.received.length} webhooks with 500`);
      const isRead = (behind: number | undefined): boolean => behind === 0;
      const behind = await until(stage, () => behindOf(stage, 'audit'), isRead);
      stage.check('events that the audit log waits for', behind, 0);
      isWorking = true;
      announce(stage, 'the receiver works again: the deliveries are retried within seconds');
      await untilReceived(stage, receiver, 204);
      inspect(stage, receiver, secret);
    } finally {
      const path = `/v1/webhook-endpoints/${id}`;
      await request(afterwards(stage), { path, method: 'DELETE', role: 'operator' });
      receiver.close();
    }
  },
};

/** Each event was refused, then accepted under the same id, and is genuine. */
function inspect(stage: Stage, { received }: Receiver, secret: string): void {
  const accepted = received.filter(({ status }) => status === 204);
  const refused = new Set(received.filter(({ status }) => status === 500).map(idOf));
  stage.check('events received', accepted.map(typeOf).toSorted(), TYPES);
  const repeated = accepted.filter((message) => refused.has(idOf(message)));
  stage.check('repeated under the same webhook-id', repeated.length, TYPES.length);
  const genuine = accepted.filter((message) => isGenuine(secret, message));
  stage.check('signatures that verify', genuine.length, TYPES.length);
}

async function untilReceived(stage: Stage, { received }: Receiver, status: number): Promise<void> {
  await until(
    stage,
    async () => new Set(received.filter((each) => each.status === status).map(idOf)).size,
    (events) => events >= TYPES.length,
  );
}

async function createEndpoint(stage: Stage, port: number) {
  const url = `http://127.0.0.1:${port}/hooks`;
  const path = '/v1/webhook-endpoints';
  const body = { url, types: TYPES };
  const { body: created } = await request(stage, { path, method: 'POST', role: 'operator', body });
  announce(stage, `POST ${path} ${url}`);
  return endpointSchema.parse(created);
}

async function behindOf(stage: Stage, name: string): Promise<number | undefined> {
  const { data } = await read(stage, '/v1/subscriptions?limit=100', subscriptionsSchema);
  return data.find((each) => each.name === name)?.behind;
}

function idOf({ headers }: Received): string | undefined {
  return headers['webhook-id'];
}

function typeOf({ body }: Received): string {
  return z.object({ type: z.string() }).parse(JSON.parse(body)).type;
}

function isGenuine(secret: string, { body, headers }: Received): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}
