/**
 * The warehouse over HTTP, after docs/warehouse-contract.md. A response outside of the contract is
 * `unknown`, and reasons are passed on only when they are codes.
 */
import { z } from 'zod';
import { NotUnderstood, ProviderFault, throwUnlessRefusal } from '../resilience/faults.ts';
import { createGuard } from '../resilience/guard.ts';
import type { Guard } from '../resilience/guard.ts';
import { answerLine, errorCode, fetchOnce, parseBody, readBody } from '../resilience/http.ts';
import { WAREHOUSE_LIMITS } from '../resilience/limits.ts';
import type { WarehouseLimits } from '../resilience/limits.ts';
import { readRecord, readRecords, recordsQuery, unitsSchema } from './list.ts';
import type { WarehouseResponse } from './list.ts';
import { ProviderRejection } from '../resilience/outcome.ts';
import type { BreakerListener } from '../resilience/outcome.ts';
import type {
  CancelOutcome,
  ReleaseOutcome,
  ReserveOutcome,
  ReserveRequest,
  ShipmentState,
  ShipOutcome,
  ShipRequest,
  Units,
  WarehouseGateway,
} from './warehouse.ts';

export interface HttpWarehouseOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly limits?: WarehouseLimits | undefined;
  readonly onBreakerChange?: BreakerListener | undefined;
}

/** Opens nothing until the first call. Throws TypeError when `baseUrl` is no URL. */
export function createHttpWarehouse(options: HttpWarehouseOptions): WarehouseGateway {
  const limits = options.limits ?? WAREHOUSE_LIMITS;
  const onChange = options.onBreakerChange;
  const reserving = createGuard({ name: 'warehouse.reserve', ...limits.reserve, onChange });
  const shipping = createGuard({ name: 'warehouse.ship', ...limits.ship, onChange });
  const looking = createGuard({ name: 'warehouse.lookup', ...limits.lookup, onChange });
  const call = createCaller(options);

  return {
    reserve: (request) =>
      call(reserving, {
        path: 'reservations',
        key: request.key,
        body: {
          order_id: request.orderId,
          lines: linesOf(request),
          ...(request.partial === true && { partial: true }),
        },
        read: (response) => readReserve(request, response),
      }),
    release: ({ key, orderId }) =>
      call(reserving, {
        path: `reservations/${encodeURIComponent(orderId)}/release`,
        key,
        body: {},
        read: readRelease,
      }),
    ship: (request) =>
      call(shipping, {
        path: 'shipments',
        key: request.key,
        body: shipBody(request),
        read: readShip,
      }),
    cancelShipment: ({ correlationId }) =>
      call(shipping, {
        path: `shipments/${encodeURIComponent(correlationId)}/cancel`,
        key: `${correlationId}/cancel`,
        body: {},
        read: readCancel,
      }),
    lookUpShipment: ({ correlationId }) =>
      call(looking, { path: `shipments/${encodeURIComponent(correlationId)}`, read: readLookup }),
    listRecords: (window) =>
      call(looking, { path: `orders?${recordsQuery(window)}`, read: readRecords }),
    lookUpRecord: ({ orderId }) =>
      call(looking, { path: `orders/${encodeURIComponent(orderId)}`, read: readRecord }),
    breakers: () => [reserving.view(), shipping.view(), looking.view()],
  };
}

interface Call<T> {
  readonly path: string;
  readonly key?: string;
  /** With a body it is a POST, without one a GET. */
  readonly body?: object;
  readonly read: (response: WarehouseResponse) => T;
}

function createCaller({ baseUrl, apiKey }: HttpWarehouseOptions) {
  const root = new URL('warehouse/', baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);

  async function send<T>(call: Call<T>, signal: AbortSignal): Promise<T> {
    const { status, headers, text } = await fetchOnce(new URL(call.path, root).href, {
      method: call.body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${apiKey}`,
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.key === undefined ? {} : { 'idempotency-key': call.key }),
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal,
    });
    const response = { status, body: ANSWERS.includes(status) ? parseBody(text) : null };
    if (!ANSWERS.includes(status) || isKeyInUse(response)) {
      const reason = `http_${status}`;
      throwUnlessRefusal({ status, reason, retryAfter: headers.get('retry-after') });
      throw REJECTIONS.includes(status)
        ? new ProviderRejection('warehouse', reason)
        : new ProviderFault(reason);
    }
    return call.read(response);
  }

  return <T>(guard: Guard, call: Call<T>) => guard.run((signal) => send(call, signal));
}

/** Our own mistakes: malformed, too large, another request's key. */
const REJECTIONS: readonly number[] = [400, 413, 415, 422];
/** The answers of the contract. Any other status without a meaning may be a proxy's: unknown. */
const ANSWERS: readonly number[] = [200, 201, 202, 404, 409];

const keyInUse = z.object({ code: z.literal('idempotency_key_in_use') });

/** The first request with this key still runs. */
function isKeyInUse({ status, body }: WarehouseResponse): boolean {
  return status === 409 && keyInUse.safeParse(body).success;
}

const reservation = z.object({ lines: z.unknown() });
const refused = z.object({ code: z.literal('refused'), reason: z.string() });
const tracking = { carrier: answerLine, tracking_number: answerLine };
const alreadyShipped = z.object({ code: z.literal('already_shipped'), ...tracking });
const shipmentState = z.discriminatedUnion('state', [
  z.object({ state: z.literal('requested') }),
  z.object({ state: z.literal('shipped'), ...tracking }),
  z.object({ state: z.literal('refused'), reason: z.string() }),
  z.object({ state: z.literal('cancelled') }),
]);

/** Without lines in the answer everything is reserved. */
function readReserve(request: ReserveRequest, { status, body }: WarehouseResponse): ReserveOutcome {
  if (status !== 201 && status !== 200) return readRefusal({ status, body });
  const listed = reservation.safeParse(body).data?.lines ?? null;
  return listed === null
    ? { kind: 'reserved' }
    : readReserved(request, readBody(unitsSchema, listed));
}

/** Throws NotUnderstood unless it is what was asked for, or, where that is allowed, a part of it. */
function readReserved({ lines, partial = false }: ReserveRequest, reserved: readonly Units[]) {
  const of = (sku: string): number =>
    reserved.reduce((sum, each) => sum + (each.sku === sku ? each.quantity : 0), 0);
  const isAsked = reserved.every(({ sku }) => lines.some((line) => line.sku === sku));
  const isWithin = lines.every(({ sku, quantity }) => of(sku) <= quantity);
  const isAll = lines.every(({ sku, quantity }) => of(sku) === quantity);
  const isNone = reserved.every(({ quantity }) => quantity === 0);
  if (!isAsked || !isWithin || isNone || (!isAll && !partial)) {
    throw new NotUnderstood('answer_not_understood');
  }
  return isAll ? ({ kind: 'reserved' } as const) : ({ kind: 'reserved', lines: reserved } as const);
}

function readRelease({ status }: WarehouseResponse): ReleaseOutcome {
  if (status === 200) return { kind: 'released' };
  throw new ProviderFault(`http_${status}`);
}

function readShip({ status, body }: WarehouseResponse): ShipOutcome {
  if (status === 202 || status === 200) return { kind: 'accepted' };
  return readRefusal({ status, body });
}

function readRefusal({ status, body }: WarehouseResponse) {
  if (status !== 409) throw new ProviderFault(`http_${status}`);
  const { reason } = readBody(refused, body);
  return { kind: 'refused', reason: errorCode('unspecified', reason) } as const;
}

function readCancel({ status, body }: WarehouseResponse): CancelOutcome {
  if (status === 200) return { kind: 'cancelled' };
  if (status !== 409) throw new ProviderFault(`http_${status}`);
  const parcel = readBody(alreadyShipped, body);
  return {
    kind: 'already_shipped',
    carrier: parcel.carrier,
    trackingNumber: parcel.tracking_number,
  };
}

function readLookup({ status, body }: WarehouseResponse): ShipmentState {
  if (status === 404) return { kind: 'absent' };
  if (status !== 200) throw new ProviderFault(`http_${status}`);
  const shipment = readBody(shipmentState, body);
  switch (shipment.state) {
    case 'requested':
      return { kind: 'pending' };
    case 'shipped':
      return {
        kind: 'shipped',
        carrier: shipment.carrier,
        trackingNumber: shipment.tracking_number,
      };
    case 'refused':
      return { kind: 'refused', reason: errorCode('unspecified', shipment.reason) };
    case 'cancelled':
      return { kind: 'cancelled' };
  }
}

function linesOf(request: Pick<ReserveRequest, 'lines'>) {
  return request.lines.map(({ sku, quantity }) => ({ sku, quantity }));
}

function shipBody(request: ShipRequest) {
  const { name, address } = request.recipient;
  return {
    order_id: request.orderId,
    correlation_id: request.correlationId,
    callback_url: request.callbackUrl,
    lines: linesOf(request),
    recipient: {
      name,
      address: {
        line1: address.line1,
        line2: address.line2,
        city: address.city,
        region: address.region,
        postal_code: address.postalCode,
        country: address.country,
      },
    },
  };
}
