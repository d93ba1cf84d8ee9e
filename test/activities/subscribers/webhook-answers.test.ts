import { describe, expect, test } from 'vitest';
import { PartialFailure } from '../../../activities/subscribers/subscriber.ts';
import { createWebhookSender } from '../../../gateways/webhook-sender.ts';
import { changeEndpoint, findEndpoint } from '../../../prisma/webhook-endpoints.ts';
import { OPERATOR, useWebhookBench } from '../../support/webhook-bench.ts';

const bench = useWebhookBench();

describe('a webhook response', () => {
  test('webhooks whose attempts cannot be recorded fail individually and are sent only once', async () => {
    await bench.db.$executeRaw`ALTER TABLE webhook_attempts RENAME TO away`;
    try {
      await expect(bench.hand(bench.log)).rejects.toBeInstanceOf(PartialFailure);
      expect(bench.receiver.received).toHaveLength(bench.log.length);
    } finally {
      await bench.db.$executeRaw`ALTER TABLE away RENAME TO webhook_attempts`;
    }
  });

  test.each([301, 302, 307, 400, 404, 500, 502])(
    'a webhook response %i is a retryable failure',
    async (status) => {
      bench.receiver.answer = (response) =>
        response.writeHead(status, { location: 'http://169.254.169.254/' }).end('no');
      const failed = { error: `HTTP ${status}`, retryAfterMs: null, final: false };
      expect(await bench.failures([bench.event()])).toMatchObject([failed]);
      expect(bench.receiver.received).toHaveLength(1);
    },
  );

  test.each([429, 503])(
    'a webhook response %i with Retry-After delays the retries and stops further sends',
    async (status) => {
      bench.receiver.answer = (response) =>
        response.writeHead(status, { 'retry-after': '120' }).end();
      const failed = await bench.failures(bench.log);
      expect(failed).toHaveLength(bench.log.length);
      for (const { retryAfterMs } of failed) expect(retryAfterMs).toBeGreaterThan(110_000);
      expect(bench.receiver.received.length).toBeLessThan(bench.log.length);
    },
  );

  test('a webhook response 500 with Retry-After does not delay the retry', async () => {
    bench.receiver.answer = (response) => response.writeHead(500, { 'retry-after': '120' }).end();
    expect(await bench.failures([bench.event()])).toMatchObject([{ retryAfterMs: null }]);
  });

  test('a webhook response 410 disables the endpoint, ends its retries and skips new events', async () => {
    bench.receiver.answer = (response) => response.writeHead(410).end();
    expect(await bench.failures([bench.event()])).toMatchObject([
      { error: 'HTTP 410', final: true, attempted: true },
    ]);
    expect(await findEndpoint(bench.db, bench.endpointId)).toMatchObject({
      status: 'disabled',
      disabledReason: 'the receiver answered 410 Gone',
    });
    expect(await bench.failures([bench.event()])).toMatchObject([
      { final: true, attempted: false },
    ]);
    expect(await bench.failures([bench.event(1), bench.event(2)])).toEqual([]);
    expect(await bench.failures([bench.event(1), bench.event()])).toMatchObject([
      { id: bench.event().id, final: true },
    ]);
    expect(bench.receiver.received).toHaveLength(1);
    bench.receiver.answer = (response) => response.writeHead(200).end();
    await changeEndpoint(bench.db, bench.endpointId, { status: 'enabled', by: OPERATOR });
    await bench.hand([bench.event()]);
    expect(bench.receiver.received).toHaveLength(2);
  });

  test('a failing webhook does not stop the other events of its batch', async () => {
    const bad = bench.event(3);
    bench.receiver.answer = (response, { id }) =>
      response.writeHead(id === bad.id ? 500 : 200).end();
    expect(await bench.failures(bench.log)).toMatchObject([{ id: bad.id }]);
    expect(bench.receiver.received).toHaveLength(bench.log.length);
  });
});

describe('no webhook response', () => {
  test('a webhook to a hanging, unreachable or private receiver fails with its reason', async () => {
    bench.receiver.answer = () => undefined;
    const impatient = createWebhookSender({ allowLocal: true, deadlineMs: 1_000 });
    const hanging = await bench.failures([bench.event()], impatient);
    expect(hanging).toMatchObject([{ error: 'no answer: deadline' }]);
    await changeEndpoint(bench.db, bench.endpointId, { url: 'http://127.0.0.1:1/', by: OPERATOR });
    const [away] = await bench.failures([bench.event()]);
    expect(away?.error).toBe('no answer: connection_econnrefused');
    await changeEndpoint(bench.db, bench.endpointId, { url: 'http://10.0.0.1/', by: OPERATOR });
    const [blocked] = await bench.failures([bench.event()]);
    expect(blocked?.error).toBe('url blocked: address_not_public');
  });

  test('a batch of webhooks sends nothing after its deadline', async () => {
    const stopped = AbortSignal.abort();
    await expect((await bench.subscriber()).handle(bench.log, stopped)).rejects.toThrow(
      PartialFailure,
    );
    expect(bench.receiver.received).toEqual([]);
  });
});
