/** What every error response means, at every call: the table of docs/failures.md, tried as a whole. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import type { PaymentGateway } from '../../gateways/payments.ts';
import { createSmtpMailer } from '../../gateways/mail/smtp-mailer.ts';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import type { BreakerView } from '../../gateways/resilience/outcome.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import type { WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { startHttpServer, type HttpServer } from '../support/http-server.ts';
import { newOrderId, quickLimits } from './provider.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
/** Without those that `fetch` makes a network error of, or that have no body. */
const STATUSES = Array.from({ length: 300 }, (_, index) => 300 + index).filter(
  (status) => ![304, 407].includes(status),
);
const ACCESS = [401, 403];
const BUSY = [409, 423, 425, 429];
const NOT_JUDGED = [408, 421, 424];
const isRefusal = (status: number) =>
  status >= 400 && status < 500 && ![...ACCESS, ...BUSY, ...NOT_JUDGED].includes(status);

/** What the provider responds with next. A long Retry-After: no call waits for it. */
const next = { status: 200, body: '' };
let provider: HttpServer;
beforeAll(async () => {
  provider = await startHttpServer((_, response) => {
    response.writeHead(next.status, { 'retry-after': '600' }).end(next.body);
  });
});
afterAll(() => provider.close());

interface Ended {
  readonly outcome: object;
  readonly isAccess: boolean;
  readonly counted: boolean;
}

/** How one call ended, and what the breakers say of it. */
async function ended(
  call: () => Promise<{ readonly kind: string }>,
  breakers: () => readonly BreakerView[],
): Promise<Ended> {
  const outcome = await call().catch((error: unknown) => {
    if (error instanceof ProviderRejection) return { rejected: error.message };
    throw error;
  });
  const isAccess = breakers().some(({ reason }) => reason?.includes('credentials') === true);
  return { outcome, isAccess, counted: breakers().some(({ state }) => state === 'open') };
}

/** What every call of both providers makes of a status that is not about the request. */
function expectedOf(provider: string, status: number): Ended | null {
  if (ACCESS.includes(status)) {
    const words = `${provider} refuses our credentials or account (http_${status})`;
    const outcome = { kind: 'unavailable', reason: words, retryAfterMs: expect.any(Number) };
    return { outcome, isAccess: true, counted: true };
  }
  if (BUSY.includes(status)) {
    const reason = `${provider} is busy (http_${status})`;
    const outcome = { kind: 'unavailable', reason, retryAfterMs: 600_000 };
    return { ...UNCOUNTED, outcome: status === 409 ? { kind: 'unknown', reason } : outcome };
  }
  if (isRefusal(status)) return null;
  const reason = `${provider} answered HTTP ${status}`;
  return { outcome: { kind: 'unknown', reason }, isAccess: false, counted: true };
}
const UNCOUNTED = { isAccess: false, counted: false };
const rejectedBy = (who: string, code: string): Ended => ({
  ...UNCOUNTED,
  outcome: { rejected: `${who} rejected the request: ${code}` },
});

describe('Stripe', () => {
  const limits = quickLimits({ breakAfter: 1 });
  const create = () =>
    createStripePayments({
      apiKey: 'sk_test_local',
      apiUrl: provider.url,
      limits: { authorize: limits, find: limits, lookup: limits, settle: limits },
    });
  const amount = { amountMinor: 2_400, currency: 'EUR' };
  const settle = () => {
    const orderId = newOrderId();
    return { key: `${orderId}/x`, orderId, reference: 'pi_1', amount };
  };
  const window = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', after: null };
  const CALLS: Readonly<Record<string, (of: PaymentGateway) => Promise<{ kind: string }>>> = {
    authorize: (of) => of.authorize({ ...settle(), paymentMethod: 'pm_card_visa' }),
    lookUp: (of) => of.lookUp({ orderId: newOrderId(), reference: 'pi_1' }),
    find: (of) => of.lookUp({ orderId: newOrderId(), reference: null }),
    capture: (of) => of.capture(settle()),
    voidAuthorization: (of) => of.voidAuthorization(settle()),
    refund: (of) => of.refund(settle()),
    listPayments: (of) => of.listPayments(window),
    listRefunds: (of) => of.listRefunds(window),
    lookUpReference: (of) => of.lookUpReference('pi_1'),
    lookUpRefund: (of) => of.lookUpRefund('re_1'),
    listRefundsOf: (of) => of.listRefundsOf('pi_1'),
    lookUpCase: (of) => of.lookUpCase({ kind: 'dispute', id: 'du_1' }),
    listCases: (of) => of.listCases({ ...window, kind: 'review' }),
  };

  async function respondWith(status: number, error: object, call: string): Promise<Ended> {
    Object.assign(next, { status, body: JSON.stringify({ error }) });
    const gateway = create();
    const run = CALLS[call];
    if (run === undefined) throw new Error(`no such call: ${call}`);
    return ended(
      () => run(gateway),
      () => gateway.breakers(),
    );
  }

  /** A refusal of the request, by what was asked for. */
  function refusalOf(call: string, code: string, isCard: boolean): Ended {
    switch (call) {
      case 'authorize':
        return {
          ...UNCOUNTED,
          outcome: isCard ? { kind: 'declined', code, reference: null } : { kind: 'refused', code },
        };
      case 'capture':
      case 'voidAuthorization':
        return { ...UNCOUNTED, outcome: { kind: 'refused', code } };
      case 'lookUp':
      case 'lookUpReference':
      case 'lookUpRefund':
      case 'lookUpCase':
        return rejectedBy('payments', code);
      // These read first, and a refused read proves nothing.
      case 'refund':
      default:
        return {
          ...UNCOUNTED,
          outcome: {
            kind: 'unknown',
            reason: `no usable answer from the payment provider (lookup_${code})`,
          },
        };
    }
  }

  test.each(Object.keys(CALLS))('%s gives each status its one meaning', async (call) => {
    for (const status of STATUSES) {
      const error = { type: status >= 500 ? 'api_error' : 'invalid_request_error', code: 'x_y' };
      const expected =
        expectedOf('the payment provider', status) ?? refusalOf(call, 'x_y', status === 402);
      expect(await respondWith(status, error, call), `${status}`).toEqual(expected);
    }
  });

  test.each(Object.keys(CALLS))(
    '%s waits for a rate limit, a lock and a running key, whatever the status',
    async (call) => {
      for (const code of ['rate_limit', 'lock_timeout', 'idempotency_key_in_use']) {
        for (const status of [400, 402, 404, 409, 429, 500]) {
          const error = { type: 'invalid_request_error', code };
          const { outcome, counted } = await respondWith(status, error, call);
          expect([outcome, counted], `${status} ${code}`).toEqual([
            expect.objectContaining({ kind: status === 409 ? 'unknown' : 'unavailable' }),
            false,
          ]);
        }
      }
    },
  );

  test('a key that was used for another request is unknown at authorize and asks a person at a settling call', async () => {
    const error = { type: 'idempotency_error' };
    const code = 'idempotency_key_reused';
    expect(await respondWith(400, error, 'authorize')).toEqual({
      ...UNCOUNTED,
      outcome: { kind: 'unknown', reason: `payments rejected the request: ${code}` },
    });
    for (const call of ['capture', 'voidAuthorization']) {
      expect(await respondWith(400, error, call)).toEqual(rejectedBy('payments', code));
    }
  });

  test.each([
    [{ code: 'resource_missing', param: 'payment_method' }, 'declined'],
    [{ code: 'payment_method_unactivated' }, 'declined'],
    [{ code: 'payment_method_invalid_parameter', param: 'payment_method_data[type]' }, 'declined'],
    [{ code: 'amount_too_small', param: 'amount' }, 'declined'],
    [{ code: 'amount_too_large', param: 'amount' }, 'declined'],
    [{ code: 'currency_not_supported', param: 'currency' }, 'refused'],
    [{ code: 'parameter_invalid_integer', param: 'amount' }, 'refused'],
    [{ code: 'parameter_unknown', param: 'x' }, 'refused'],
    [{ code: 'account_invalid' }, 'refused'],
    [{ code: 'testmode_charges_only' }, 'refused'],
    [{ message: 'Ada Lovelace' }, 'refused'],
  ])('an authorization refused with %j is %s', async (error, kind) => {
    const body = { type: 'invalid_request_error', ...error };
    expect(await respondWith(400, body, 'authorize')).toMatchObject({ outcome: { kind } });
  });

  test('a proxy’s body is never read as Stripe’s refusal, whatever it contains', async () => {
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ error: fc.oneof(fc.string(), fc.integer(), fc.constant(null)) }).map(stringify),
      fc.record({ error: fc.record({ message: fc.string() }) }).map(stringify),
    );
    const gateway = create();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...STATUSES), bodies, async (status, body) => {
        Object.assign(next, { status, body });
        const { kind } = await gateway.capture(settle());
        expect(['unknown', 'unavailable']).toContain(kind);
      }),
      { numRuns: 300 },
    );
  });
});

const stringify = (value: unknown): string => JSON.stringify(value);

describe('the warehouse', () => {
  const limits = quickLimits({ breakAfter: 1 });
  const create = () =>
    createHttpWarehouse({
      baseUrl: provider.url,
      apiKey: 'local',
      limits: { reserve: limits, ship: limits, lookup: limits },
    });
  const order = () => {
    const orderId = newOrderId();
    return { key: `${orderId}/x`, orderId, lines: [{ sku: 'mug-white', quantity: 1 }] };
  };
  const parcel = () => ({ correlationId: shipmentCorrelationId(newOrderId()) });
  const recipient = {
    name: 'Ada Lovelace',
    address: { line1: '1', city: 'Berlin', postalCode: '10115', country: 'DE' },
  };
  const CALLS: Readonly<Record<string, (of: WarehouseGateway) => Promise<{ kind: string }>>> = {
    reserve: (of) => of.reserve(order()),
    release: (of) => of.release(order()),
    ship: (of) => of.ship({ ...order(), ...parcel(), callbackUrl: 'http://x.test', recipient }),
    cancelShipment: (of) => of.cancelShipment(parcel()),
    lookUpShipment: (of) => of.lookUpShipment(parcel()),
    listRecords: (of) =>
      of.listRecords({ from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', after: null }),
    lookUpRecord: (of) => of.lookUpRecord({ orderId: newOrderId() }),
  };
  const REJECTIONS = [400, 413, 415, 422];
  /** Their meaning is the contract's: test/gateways/http-warehouse.test.ts. */
  const CONTRACT = [404, 409];

  test.each(Object.keys(CALLS))('%s gives each status its one meaning', async (call) => {
    for (const status of STATUSES.filter((each) => !CONTRACT.includes(each))) {
      Object.assign(next, { status, body: '{"code":"refused","reason":"x"}' });
      const gateway = create();
      const result = await ended(
        () => CALLS[call]?.(gateway) ?? Promise.reject(new Error(call)),
        () => gateway.breakers(),
      );
      const fault = { kind: 'unknown', reason: `the warehouse answered HTTP ${status}` };
      const refused = REJECTIONS.includes(status)
        ? rejectedBy('warehouse', `http_${status}`)
        : { outcome: fault, isAccess: false, counted: true };
      expect(result, `${status}`).toEqual(expectedOf('the warehouse', status) ?? refused);
    }
  });

  test.each(Object.keys(CALLS))('%s waits for a key that is in use', async (call) => {
    Object.assign(next, { status: 409, body: '{"code":"idempotency_key_in_use"}' });
    const gateway = create();
    const result = await ended(
      () => CALLS[call]?.(gateway) ?? Promise.reject(new Error(call)),
      () => gateway.breakers(),
    );
    const reason = 'the warehouse is busy (http_409)';
    expect(result).toEqual({ ...UNCOUNTED, outcome: { kind: 'unknown', reason } });
  });
});

describe('the mail server', () => {
  const REPLIES = [421, 450, 451, 452, 454, 500, 521, 530, 534, 535, 538, 550, 552, 553, 554];
  const COMMANDS = ['MAIL FROM', 'RCPT TO', 'DATA'] as const;
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await createSandbox({ warehouseCallbackSecret: SECRET });
  });
  afterAll(() => sandbox.close());

  function meaningOf(reply: number, command: (typeof COMMANDS)[number]): Ended {
    const code = `smtp_${reply}`;
    const refused = { ...UNCOUNTED, outcome: { kind: 'refused', reason: code } };
    const words = `the mail server refuses our credentials or account (${code})`;
    const reason = `the mail server answered SMTP ${reply}`;
    const access = {
      outcome: { kind: 'unavailable', reason: words, retryAfterMs: expect.any(Number) },
      isAccess: true,
      counted: true,
    };
    const unknown = (counted: boolean) => ({
      outcome: { kind: 'unknown', reason },
      isAccess: false,
      counted,
    });
    if ([530, 534, 535, 538].includes(reply)) return access;
    if (reply < 500) return unknown(command !== 'RCPT TO');
    return command === 'MAIL FROM' && reply !== 552 ? access : refused;
  }

  test.each(COMMANDS)('each reply to %s has one meaning', async (command) => {
    for (const status of REPLIES) {
      sandbox.faults.set(
        { provider: 'mail', operation: 'send' },
        { mode: 'reject', status, command },
      );
      const mailer = createSmtpMailer({
        smtpUrl: `smtp://127.0.0.1:${sandbox.smtpPort}`,
        from: 'orders@holdfast.example',
        limits: { send: quickLimits({ breakAfter: 1 }) },
      });
      const content = { subject: 'x', text: 'x', html: 'x', language: 'en' } as const;
      const mail = { messageKey: newOrderId(), to: 'ada@x.example', ...content };
      const result = await ended(
        () => mailer.send(mail),
        () => mailer.breakers(),
      );
      mailer.close();
      expect(result, `${status}`).toEqual(meaningOf(status, command));
    }
  });
});
