import { describe, expect, test } from 'vitest';
import { PartialFailure } from '../../../activities/events/subscribers/subscriber.ts';
import { createWebhookSender } from '../../../gateways/webhooks/sender.ts';
import { changeEndpoint, findEndpoint } from '../../../prisma/events/webhook-endpoints.ts';
import { OPERATOR, useEndpoint } from './use-endpoint.ts';

const endpoint = useEndpoint();

describe('a webhook response', () => {
  test('webhooks whose attempts cannot be recorded fail individually and are sent only once', async () => {
    await endpoint.db.$executeRaw`ALTER TABLE webhook_attempts RENAME TO away`;
    try {
      await expect(endpoint.hand(endpoint.log)).rejects.toBeInstanceOf(PartialFailure);
      expect(endpoint.receiver.received).toHaveLength(endpoint.log.length);
    } finally {
      await endpoint.db.$executeRaw`ALTER TABLE away RENAME TO webhook_attempts`;
    }
  });

  test.each([301, 302, 307, 400, 404, 500, 502])(
    'a webhook response %i is a retryable failure',
    async (status) => {
      endpoint.receiver.answer = (response) =>
        response.writeHead(status, { location: 'http://169.254.169.254/' }).end('no');
      const failed = { error: `HTTP ${status}`, retryAfterMs: null, final: false };
      expect(await endpoint.failures([endpoint.event()])).toMatchObject([failed]);
      expect(endpoint.receiver.received).toHaveLength(1);
    },
  );

  test.each([429, 503])(
    'a webhook response %i with Retry-After delays the retries and stops further sends',
    async (status) => {
      endpoint.receiver.answer = (response) =>
        response.writeHead(status, { 'retry-after': '120' }).end();
      const failed = await endpoint.failures(endpoint.log);
      expect(failed).toHaveLength(endpoint.log.length);
      for (const { retryAfterMs } of failed) expect(retryAfterMs).toBeGreaterThan(110_000);
      expect(endpoint.receiver.received.length).toBeLessThan(endpoint.log.length);
    },
  );

  test('a webhook response 500 with Retry-After does not delay the retry', async () => {
    endpoint.receiver.answer = (response) =>
      response.writeHead(500, { 'retry-after': '120' }).end();
    expect(await endpoint.failures([endpoint.event()])).toMatchObject([{ retryAfterMs: null }]);
  });

  test('a webhook response 410 disables the endpoint and ends every delivery to it', async () => {
    endpoint.receiver.answer = (response) => response.writeHead(410).end();
    expect(await endpoint.failures([endpoint.event()])).toMatchObject([
      { error: 'HTTP 410', final: true, attempted: true },
    ]);
    expect(await findEndpoint(endpoint.db, endpoint.id)).toMatchObject({
      status: 'disabled',
      disabledReason: 'the receiver responded 410 Gone',
    });
    expect(await endpoint.failures([endpoint.event()])).toMatchObject([
      { final: true, attempted: false },
    ]);
    // Never attempted is not "not wanted": the pump hands over what was wanted.
    const others = [endpoint.event(1), endpoint.event(2)];
    const refused = { error: 'endpoint disabled: the receiver responded 410 Gone', final: true };
    expect(await endpoint.failures(others)).toMatchObject([refused, refused]);
    expect(endpoint.receiver.received).toHaveLength(1);
    endpoint.receiver.answer = (response) => response.writeHead(200).end();
    await changeEndpoint(endpoint.db, endpoint.id, { status: 'enabled', by: OPERATOR });
    await endpoint.hand([endpoint.event()]);
    expect(endpoint.receiver.received).toHaveLength(2);
  });

  test('a failing webhook does not stop the other events of its batch', async () => {
    const bad = endpoint.event(3);
    endpoint.receiver.answer = (response, { id }) =>
      response.writeHead(id === bad.id ? 500 : 200).end();
    expect(await endpoint.failures(endpoint.log)).toMatchObject([{ id: bad.id }]);
    expect(endpoint.receiver.received).toHaveLength(endpoint.log.length);
  });
});

describe('no webhook response', () => {
  test('a webhook to a hanging, unreachable or private receiver fails with its reason', async () => {
    endpoint.receiver.answer = () => undefined;
    const shortDeadline = createWebhookSender({ allowLocal: true, deadlineMs: 1_000 });
    const hanging = await endpoint.failures([endpoint.event()], shortDeadline);
    expect(hanging).toMatchObject([{ error: 'no response: deadline' }]);
    await changeEndpoint(endpoint.db, endpoint.id, { url: 'http://127.0.0.1:1/', by: OPERATOR });
    const [away] = await endpoint.failures([endpoint.event()]);
    expect(away?.error).toBe('no response: connection_econnrefused');
    await changeEndpoint(endpoint.db, endpoint.id, { url: 'http://10.0.0.1/', by: OPERATOR });
    const [blocked] = await endpoint.failures([endpoint.event()]);
    expect(blocked?.error).toBe('url blocked: address_not_public');
  });

  test('a batch of webhooks sends nothing after its deadline', async () => {
    const stopped = AbortSignal.abort();
    await expect((await endpoint.subscriber()).handle(endpoint.log, stopped)).rejects.toThrow(
      PartialFailure,
    );
    expect(endpoint.receiver.received).toEqual([]);
  });
});
