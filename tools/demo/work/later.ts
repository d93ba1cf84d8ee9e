/** Asynchronous work: accepted at once, done after the response, with progress for those who ask or listen. */
import { z } from 'zod';
import { streamed } from '../../http.ts';
import { eventRow, row } from '../paint.ts';
import {
  announce,
  arm,
  ask,
  clearFaults,
  effects,
  follow,
  placed,
  read,
  SHIPPED_ONCE,
  until,
  type PatternDemo,
} from '../stage.ts';

export const saga: PatternDemo = {
  story:
    'A workflow for as long as it takes: the warehouse is down twice, and the shopper has the 201.',
  async show(stage) {
    await arm(stage, { 'warehouse/reserve': { mode: 'down', times: 2 } });
    const id = await placed(stage);
    await follow(stage, id, 'shipped');
    stage.check('effects at the providers', await effects(stage, id), SHIPPED_ONCE);
  },
};

export const notifications: PatternDemo = {
  story: 'May fail: mail and SMS are down, the order ships, and both are sent when they are back.',
  async show(stage) {
    const email = `demo-${stage.run}-notified@example.com`;
    const phone = phoneOf(stage.run);
    await arm(stage, { 'mail/send': { mode: 'down' }, 'sms/send': { mode: 'down' } });
    const customer = { email, name: 'Ada Lovelace', phone, sms_consent: true };
    const id = await placed(stage, { customer });
    await follow(stage, id, 'shipped');
    stage.check('mails by then', (await stage.sandbox.mails(email)).length, 0);
    await clearFaults(stage);
    const mails = () => stage.sandbox.mails(email);
    stage.check('mails', (await until(stage, mails, ({ length }) => length === 2)).length, 2);
    const texts = async () => (await stage.sandbox.texts(phone)).length;
    stage.check('SMS', await until(stage, texts, (count) => count === 1), 1);
  },
};

/** Another one for each run: the run is its time in base 36, whose last seven digits are kept. */
export function phoneOf(run: string): string {
  return `+49151${String(Number.parseInt(run, 36)).slice(-7)}`;
}

const subscriptionsSchema = z.object({
  data: z.array(z.object({ name: z.string(), behind: z.number(), lag_seconds: z.number() })),
});
const freshSchema = z.object({ as_of: z.string() });

export const analytics: PatternDemo = {
  story:
    'The event log carries it: each subscriber reads at its own pace, and none delays an order.',
  async show(stage) {
    const id = await placed(stage);
    const since = Date.now();
    const behind = await until(
      stage,
      async () => (await read(stage, '/v1/subscriptions?limit=100', subscriptionsSchema)).data,
      (all) => all.every((each) => each.behind === 0 || each.name === 'warehouse-feed'),
    );
    for (const each of behind) {
      stage.say(row(Date.now() - since, each.name, `${each.behind} behind`));
    }
    await follow(stage, id, 'shipped');
    const isCounted = ({ as_of: at }: z.infer<typeof freshSchema>) => Date.parse(at) > since;
    const figures = () => read(stage, '/v1/analytics', freshSchema);
    const { as_of: at } = await until(stage, figures, isCounted);
    stage.check('the order is counted', Date.parse(at) > since, true);
  },
};

const refundSchema = z.object({ id: z.string(), status: z.string() });

export const refund: PatternDemo = {
  story: 'The promise at once, the money later: checked and written down before the 202.',
  async show(stage) {
    const id = await placed(stage);
    await follow(stage, id, 'shipped');
    const path = `/v1/orders/${id}/refunds`;
    const asked = { method: 'POST', path, role: 'operator' } as const;
    const much = { amount_minor: 1_000_000, reason: 'too much' };
    await ask(stage, { ...asked, body: much }, 422);
    const body = { amount_minor: 700, reason: 'one arrived broken' };
    const accepted = refundSchema.parse((await ask(stage, { ...asked, body }, 202)).body);
    const since = performance.now();
    const state = () => read(stage, `/v1/refunds/${accepted.id}`, refundSchema);
    const { status } = await until(stage, state, (each) => each.status !== 'requested');
    stage.say(row(performance.now() - since, `refund ${status}`));
    stage.check('refunds at the provider', (await effects(stage, id))['refund'], 1);
  },
};

const jobSchema = z.object({
  id: z.string(),
  status: z.string(),
  progress: z.object({ percent: z.number().nullable() }),
  files: z.array(z.object({ url: z.string() })),
});
const schedulesSchema = z.object({
  data: z.array(z.object({ id: z.string(), next_at: z.array(z.string()) })),
});
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const timeOf = (ms: number): string => new Date(ms).toISOString();

export const reports: PatternDemo = {
  story: 'Accepted with 202: a workflow writes it in batches, with progress, also after a kill.',
  async show(stage) {
    // Of a time that has ended.
    const span = { from: timeOf(Date.now() - 7 * DAY_MS), to: timeOf(Date.now() - 2 * MINUTE_MS) };
    const body = { type: 'sales_by_day', ...span };
    const call = { method: 'POST', path: '/v1/reports', role: 'operator', body } as const;
    const { id } = jobSchema.parse((await ask(stage, call, 202)).body);
    const since = performance.now();
    const url = `${stage.api}/v1/reports/${id}`;
    let report: z.infer<typeof jobSchema> | null = null;
    for await (const message of streamed({ url, role: 'operator', signal: stage.signal })) {
      report = jobSchema.parse(JSON.parse(message));
      const { status, progress } = report;
      stage.say(row(performance.now() - since, `${status} ${progress.percent ?? 0} %`));
      if (!['queued', 'running'].includes(status)) break;
    }
    stage.check('report', report?.status, 'succeeded');
    const file = await ask(stage, { path: report?.files[0]?.url ?? '' }, 200);
    announce(stage, String(file.body).split('\n')[0] ?? '');
    const { data } = await read(stage, '/v1/schedules', schedulesSchema);
    for (const each of data)
      announce(stage, `schedule ${each.id}`, `next ${each.next_at[0] ?? '-'}`);
  },
};

const eventSchema = z.object({
  type: z.string(),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
});

export const liveStatus: PatternDemo = {
  story: 'One connection, and each change of the order as it happens.',
  async show(stage) {
    const id = await placed(stage);
    const url = `${stage.api}/v1/orders/${id}/timeline`;
    let firstAt = '';
    const types: string[] = [];
    for await (const message of streamed({ url, role: 'storefront', signal: stage.signal })) {
      const entry = eventSchema.parse(JSON.parse(message));
      firstAt ||= entry.time;
      types.push(entry.type);
      stage.say(eventRow(entry, firstAt));
      if (entry.type === 'order.shipped') break;
    }
    stage.check('the last one', types.at(-1), 'order.shipped');
  },
};
