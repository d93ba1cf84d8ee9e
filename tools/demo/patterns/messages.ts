/** Patterns of messages: outbox, request-reply, dead letter. */
import { z } from 'zod';
import {
  announce,
  arm,
  clearFaults,
  effects,
  follow,
  placed,
  read,
  request,
  SHIPPED_ONCE,
  until,
  type PatternDemo,
  type Stage,
} from '../stage.ts';

const timelineSchema = z.object({
  data: z.array(z.object({ id: z.string(), type: z.string(), seq: z.number() })),
});

export const outbox: PatternDemo = {
  story:
    'The app is killed after its 201, with Temporal down: the event log still starts the order.',
  async show(stage) {
    announce(stage, 'npm run stack -- stop temporal');
    await stage.parts.stop('temporal');
    const id = await placed(stage);
    announce(stage, 'kill -9 the app', 'what it meant to do after the response is lost');
    stage.parts.kill('app');
    announce(stage, 'npm run stack -- start temporal');
    await stage.parts.start('temporal');
    await follow(stage, id, 'shipped');
    const { data } = await read(stage, `/v1/orders/${id}/timeline`, timelineSchema);
    const sequence = data.map(({ seq }) => seq);
    stage.check(
      'events in sequence',
      sequence,
      sequence.map((_seq, index) => index + 1),
    );
    stage.check('order.placed', data.filter(({ type }) => type === 'order.placed').length, 1);
    stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
  },
};

export const requestReply: PatternDemo = {
  story:
    'The callback of the warehouse comes twice, then not at all: one parcel, and no order waits.',
  async show(stage) {
    await arm(stage, { 'warehouse/callback': { mode: 'duplicate', times: 1 } });
    const twice = await placed(stage);
    await follow(stage, twice, 'shipped');
    stage.check('effects at the providers', await effects(stage, twice), SHIPPED_ONCE);
    await arm(stage, { 'warehouse/callback': { mode: 'down' } });
    const never = await placed(stage);
    announce(stage, 'no callback arrives: the workflow looks the shipment up, after half a minute');
    await follow(stage, never, 'shipped');
    stage.check('effects at the providers', await effects(stage, never), SHIPPED_ONCE);
  },
};

const attentionSchema = z.object({
  attention: z
    .object({ steps: z.array(z.object({ step: z.string(), last_failure: z.string() })) })
    .nullable(),
});
const deadLettersSchema = z.object({
  data: z.array(z.object({ id: z.string(), status: z.string(), subject: z.string() })),
});

export const deadLetter: PatternDemo = {
  story:
    'A paid order cannot be shipped, and not be refunded: a person decides, and it is refunded once.',
  async show(stage) {
    await arm(stage, {
      'warehouse/ship': { mode: 'refuse' },
      'payments/refund': { mode: 'refuse' },
    });
    const id = await placed(stage);
    await follow(stage, id, 'needs_attention');
    const { attention } = await read(stage, `/v1/orders/${id}`, attentionSchema);
    for (const { step, last_failure: failure } of attention?.steps ?? []) {
      announce(stage, `${step} waits for a person`, failure);
    }
    const [open] = await deadLettersOf(stage, id);
    stage.check('dead letter', open?.status, 'open');
    if (open === undefined) return;
    await clearFaults(stage);
    const redrive = `/v1/dead-letters/${open.id}/redrive`;
    const body = { action: 'retry', note: 'the provider refunds again' };
    await request(stage, { path: redrive, method: 'POST', role: 'operator', body });
    announce(stage, `POST ${redrive}`);
    await follow(stage, id, 'cancelled');
    const resolved = await until(
      stage,
      () => deadLettersOf(stage, id),
      ([each]) => each?.status === 'resolved',
    );
    stage.check('dead letter', resolved[0]?.status, 'resolved');
    const expected = { authorize: 1, reserve: 1, capture: 1, release: 1, refund: 1 };
    stage.check('effects at the providers', await effects(stage, id), expected);
  },
};

async function deadLettersOf(stage: Stage, orderId: string) {
  return (await read(stage, `/v1/dead-letters?order_id=${orderId}`, deadLettersSchema)).data;
}
