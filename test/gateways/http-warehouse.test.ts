import { describe, expect, test } from 'vitest';
import { providerKey, shipmentCorrelationId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import { createCallbackVerifier } from '../../gateways/warehouse/callback.ts';
import type { CallbackVerdict } from '../../gateways/warehouse/callback.ts';
import type { WarehouseGateway } from '../../gateways/warehouse/warehouse.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { advance } from '../support/clock.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';
import { SECRET, useSandbox } from './stripe-sandbox.ts';
import { eventually } from '../support/eventually.ts';
import {
  HALF_OPEN_AFTER_MS,
  SHORT_DEADLINE,
  callUntilFaultFires,
  newOrderId,
  quickLimits,
} from './provider.ts';

const LINES = [{ sku: 'mug-white', quantity: 2 }];
const SCARCE_LINES = [...LINES, { sku: 'scarce', quantity: 3 }];
const NOWHERE = 'http://127.0.0.1:1/callbacks/warehouse';

const slow = useSandbox({ retryDelaysMs: [], callbackDelayMs: 60_000 });
const quick = useSandbox({ retryDelaysMs: [], callbackDelayMs: 1 });

function gatewayTo(baseUrl: string, changes: Partial<CallLimits> = {}): WarehouseGateway {
  const limits = quickLimits(changes);
  return createHttpWarehouse({
    baseUrl,
    apiKey: 'local-warehouse-key',
    limits: { reserve: limits, ship: limits, lookup: limits },
  });
}

const reservation = (orderId: OrderId) => ({
  key: providerKey(orderId, 'reserve'),
  orderId,
  lines: LINES,
});
const release = (orderId: OrderId) => ({ key: providerKey(orderId, 'release'), orderId });
const shipping = (orderId: OrderId, callbackUrl = NOWHERE) => ({
  key: providerKey(orderId, 'ship'),
  orderId,
  lines: LINES,
  correlationId: shipmentCorrelationId(orderId),
  callbackUrl,
  recipient: {
    name: 'Ada Lovelace',
    address: { line1: '12 St James Sq', city: 'London', postalCode: 'SW1Y 4JH', country: 'GB' },
  },
});
const parcel = (orderId: OrderId) => ({ correlationId: shipmentCorrelationId(orderId) });

const effectsOf = (sandbox: Sandbox, orderId: OrderId) =>
  sandbox.ledgers.warehouse
    .effects()
    .filter(({ order_id }) => order_id === orderId)
    .map(({ operation }) => operation);

describe('the contract', () => {
  test('a repeated reserve and a repeated release each take effect once', async () => {
    const gateway = gatewayTo(slow.url);
    const orderId = newOrderId();
    for (let i = 0; i < 2; i += 1) {
      expect(await gateway.reserve(reservation(orderId))).toEqual({ kind: 'reserved' });
    }
    for (let i = 0; i < 2; i += 1) {
      expect(await gateway.release(release(orderId))).toEqual({ kind: 'released' });
    }
    expect(effectsOf(slow, orderId)).toEqual(['reserve', 'release']);
  });

  test('an order that takes what there is learns what is reserved, and nothing when that is everything', async () => {
    const gateway = gatewayTo(slow.url);
    const [first, second, third] = [newOrderId(), newOrderId(), newOrderId()];
    const take = (orderId: OrderId) =>
      gateway.reserve({ ...reservation(orderId), lines: SCARCE_LINES, partial: true });
    slow.warehouseStock.set('scarce', 4);
    expect(await take(first)).toEqual({ kind: 'reserved' });
    const lines = [LINES[0], { sku: 'scarce', quantity: 1 }];
    expect(await take(second)).toEqual({ kind: 'reserved', lines });
    expect(await take(third)).toEqual({ kind: 'reserved', lines: LINES });
    slow.warehouseStock.set('scarce', null);
    expect(await take(third)).toEqual({ kind: 'reserved', lines: LINES });
  });

  test('a reserve that arrives after its release is refused', async () => {
    const gateway = gatewayTo(slow.url);
    const orderId = newOrderId();
    await gateway.release(release(orderId));
    const outcome = await gateway.reserve(reservation(orderId));
    expect(outcome).toEqual({ kind: 'refused', reason: 'released' });
  });

  test('a pending shipping request can be cancelled, and a late request for its parcel is refused', async () => {
    const gateway = gatewayTo(slow.url);
    const orderId = newOrderId();
    expect(await gateway.lookUpShipment(parcel(orderId))).toEqual({ kind: 'absent' });
    expect(await gateway.ship(shipping(orderId))).toEqual({ kind: 'accepted' });
    expect(await gateway.lookUpShipment(parcel(orderId))).toEqual({ kind: 'pending' });
    expect(await gateway.cancelShipment(parcel(orderId))).toEqual({ kind: 'cancelled' });
    expect(await gateway.cancelShipment(parcel(orderId))).toEqual({ kind: 'cancelled' });
    expect(await gateway.lookUpShipment(parcel(orderId))).toEqual({ kind: 'cancelled' });
    const late = { ...shipping(orderId), key: `${orderId}/ship-late` };
    expect(await gateway.ship(late)).toEqual({ kind: 'refused', reason: 'cancelled' });
  });

  test('a shipped parcel is reported by a signed callback and cannot be cancelled', async () => {
    const verdicts: CallbackVerdict[] = [];
    const verify = createCallbackVerifier([SECRET]);
    const shop = await startHttpServer(async (request, response) => {
      const { headers, body } = await readRequest(request);
      verdicts.push(verify({ body: Buffer.from(body), headers }));
      response.writeHead(200).end();
    });
    const gateway = gatewayTo(quick.url);
    const orderId = newOrderId();
    await gateway.ship(shipping(orderId, `${shop.url}/callbacks/warehouse`));
    await eventually(() => expect(verdicts).toHaveLength(1));
    await shop.close();
    const shipped = {
      kind: 'shipped',
      carrier: expect.any(String),
      trackingNumber: expect.any(String),
    };
    expect(verdicts[0]).toEqual({
      kind: 'verified',
      id: expect.any(String),
      answer: { correlationId: shipmentCorrelationId(orderId), orderId, answer: shipped },
    });
    expect(await gateway.lookUpShipment(parcel(orderId))).toEqual(shipped);
    expect(await gateway.cancelShipment(parcel(orderId))).toEqual({
      ...shipped,
      kind: 'already_shipped',
    });
  });

  test('a lookup returns refused for a parcel that was refused after acceptance', async () => {
    quick.faults.set({ provider: 'warehouse', operation: 'callback' }, { mode: 'refuse' });
    const gateway = gatewayTo(quick.url);
    const orderId = newOrderId();
    await gateway.ship(shipping(orderId));
    await eventually(async () => {
      const state = await gateway.lookUpShipment(parcel(orderId));
      expect(state).toEqual({ kind: 'refused', reason: 'damaged' });
    });
  });

  test.for(['reserve', 'ship'] as const)(
    'a refused %s leaves every breaker closed',
    async (operation) => {
      slow.faults.set({ provider: 'warehouse', operation }, { mode: 'refuse' });
      const gateway = gatewayTo(slow.url, { breakAfter: 2 });
      for (let i = 0; i < 5; i += 1) {
        const orderId = newOrderId();
        const outcome =
          operation === 'reserve'
            ? await gateway.reserve(reservation(orderId))
            : await gateway.ship(shipping(orderId));
        expect(outcome).toEqual({ kind: 'refused', reason: expect.any(String) });
      }
      expect(gateway.breakers().map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
    },
  );
});

describe('lost responses', () => {
  const OPERATIONS = ['reserve', 'release', 'ship', 'cancel', 'lookup'] as const;
  type Operation = (typeof OPERATIONS)[number];

  function call(gateway: WarehouseGateway, operation: Operation, orderId: OrderId) {
    switch (operation) {
      case 'reserve':
        return gateway.reserve(reservation(orderId));
      case 'release':
        return gateway.release(release(orderId));
      case 'ship':
        return gateway.ship(shipping(orderId));
      case 'cancel':
        return gateway.cancelShipment(parcel(orderId));
      case 'lookup':
        return gateway.lookUpShipment(parcel(orderId));
    }
  }

  const STRUCK = OPERATIONS.flatMap((operation) =>
    (['answer_lost', 'fail_before', 'down', 'hang'] as const).map(
      (mode) => [operation, mode] as const,
    ),
  );
  test.for(STRUCK)(
    '%s under fault %s returns unknown, and its repeat succeeds without a second effect',
    async ([operation, mode]) => {
      const calm = gatewayTo(slow.url);
      const orderId = newOrderId();
      if (operation === 'release') await calm.reserve(reservation(orderId));
      if (operation === 'cancel') await calm.ship(shipping(orderId));
      slow.faults.set({ provider: 'warehouse', operation }, { mode });
      const gateway = gatewayTo(slow.url, mode === 'hang' ? SHORT_DEADLINE : {});
      await callUntilFaultFires(slow.faults, async () => {
        expect(await call(gateway, operation, orderId)).toMatchObject({ kind: 'unknown' });
      });
      slow.faults.clear();
      const repeated = await call(calm, operation, orderId);
      expect(['unknown', 'unavailable']).not.toContain(repeated.kind);
      const effects = effectsOf(slow, orderId).filter((each) => each === operation);
      expect(effects).toHaveLength(operation === 'lookup' ? 0 : 1);
    },
  );

  test('a failing reserve opens its own circuit only, and reserving works again after the wait', async () => {
    const gateway = gatewayTo(slow.url, { breakAfter: 2 });
    const orderId = newOrderId();
    slow.faults.set({ provider: 'warehouse', operation: 'reserve' }, { mode: 'down' });
    await gateway.reserve(reservation(orderId));
    await gateway.reserve(reservation(orderId));
    expect(await gateway.reserve(reservation(orderId))).toMatchObject({ kind: 'unavailable' });
    expect(await gateway.ship(shipping(newOrderId()))).toEqual({ kind: 'accepted' });
    slow.faults.clear();
    advance(HALF_OPEN_AFTER_MS);
    expect(await gateway.reserve(reservation(orderId))).toEqual({ kind: 'reserved' });
    expect(gateway.breakers()).toContainEqual(
      expect.objectContaining({ name: 'warehouse.reserve', state: 'closed' }),
    );
  });
});

describe('invalid responses', () => {
  async function outcomeOf(status: number, body: string) {
    const provider = await startHttpServer((_, response) => response.writeHead(status).end(body));
    try {
      return await gatewayTo(provider.url).reserve(reservation(newOrderId()));
    } finally {
      await provider.close();
    }
  }

  test.for([
    [200, '<html>', 'no usable answer from the warehouse (answer_not_json)'],
    [302, '', 'the warehouse answered HTTP 302'],
    [404, '{}', 'the warehouse answered HTTP 404'],
    [502, 'bad gateway', 'the warehouse answered HTTP 502'],
  ] as const)(
    'a warehouse response %i with body "%s" returns unknown',
    async ([status, body, reason]) => {
      expect(await outcomeOf(status, body)).toEqual({ kind: 'unknown', reason });
    },
  );

  test('a refusal reason in prose is replaced by unspecified', async () => {
    const body = JSON.stringify({ code: 'refused', reason: 'Ada Lovelace has moved' });
    expect(await outcomeOf(409, body)).toEqual({ kind: 'refused', reason: 'unspecified' });
  });

  test('a reserve at a closed port returns unknown', async () => {
    const provider = await startHttpServer(() => undefined);
    await provider.close();
    const outcome = await gatewayTo(provider.url).reserve(reservation(newOrderId()));
    expect(outcome).toEqual({ kind: 'unknown', reason: 'connection refused by the warehouse' });
  });
});
