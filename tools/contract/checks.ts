/** The seven checks of docs/warehouse-contract.md, as real calls. Each uses an order of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { shipmentCorrelationId, type OrderId } from '../../domain/ids.ts';
import { newId } from '../../prisma/client/ids.ts';
import type { Received, Receiver } from '../http-receiver.ts';
import { cancel, lookUp, release, reserve, reservePartly, ship } from './requests.ts';
import {
  call,
  callAndHangUp,
  ContractViolation,
  memberOf,
  requireResponse,
  type Warehouse,
  type WarehouseResponse,
} from './warehouse.ts';

export interface ContractContext {
  readonly warehouse: Warehouse;
  /** Signs its callbacks: `whsec_` and base64. */
  readonly callbackSecret: string;
  /** Where the warehouse reaches the receiver. */
  readonly callbackUrl: string;
  readonly receiver: Receiver;
  /** Goods that the warehouse has. */
  readonly sku: string;
  /** How long a callback may take. */
  readonly callbackWithinMs: number;
  /** Kills and starts the warehouse; null: the connection is cut only. */
  readonly restart: (() => Promise<void>) | null;
}

export interface CheckResult {
  readonly title: string;
  /** Null: passed. */
  readonly problem: string | null;
}

type Check = (context: ContractContext) => Promise<void>;

const CHECKS: Readonly<Record<string, Check>> = {
  'A reserve that is repeated under its key reserves once; another quantity is refused':
    reserveTwice,
  'A reserve that arrives after its release is refused': releaseFirst,
  'A shipping request that arrives after its cancel is refused': cancelFirst,
  'A callback is signed, and sent again under the same id until it is accepted': reportParcel,
  'A parcel that has left cannot be cancelled': cancelTooLate,
  'A reserve whose response was lost is repeated under its key, and reserves once': loseResponse,
  'A reserve of what there is lists no more than was asked for, the same under its key':
    reserveWhatThereIs,
};

/** How the receiver answers a callback: each message has to be sent again once. */
export function refuseFirst(
  { headers }: Pick<Received, 'headers'>,
  earlier: readonly Received[],
): number {
  const isRepeat = earlier.some((each) => each.headers['webhook-id'] === headers['webhook-id']);
  return isRepeat ? 200 : 503;
}

/** Runs them one after the other; one that fails does not keep the others from running. */
export async function checkContract(context: ContractContext): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [title, check] of Object.entries(CHECKS)) {
    results.push({ title, problem: await problemOf(() => check(context)) });
  }
  return results;
}

async function problemOf(check: () => Promise<void>): Promise<string | null> {
  try {
    await check();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function reserveTwice({ warehouse, sku }: ContractContext): Promise<void> {
  const orderId = newId('order');
  const first = await call(warehouse, reserve(orderId, sku));
  requireResponse(first, reserved(orderId));
  requireSame(first, await call(warehouse, reserve(orderId, sku)));
  const other = await call(warehouse, reserve(orderId, sku, 2));
  requireResponse(other, { status: 422, body: { code: 'idempotency_key_reused' } });
  // The goods are others' again.
  await call(warehouse, release(orderId));
}

async function releaseFirst({ warehouse, sku }: ContractContext): Promise<void> {
  const orderId = newId('order');
  const released = await call(warehouse, release(orderId));
  requireResponse(released, { status: 200, body: { state: 'released' } });
  const late = await call(warehouse, reserve(orderId, sku));
  requireResponse(late, { status: 409, body: { code: 'refused', reason: 'released' } });
}

async function cancelFirst({ warehouse, ...context }: ContractContext): Promise<void> {
  const orderId = newId('order');
  const cancelled = await call(warehouse, cancel(orderId));
  requireResponse(cancelled, { status: 200, body: { state: 'cancelled' } });
  const late = await call(warehouse, ship(orderId, context));
  requireResponse(late, { status: 409, body: { code: 'refused', reason: 'cancelled' } });
  const found = await call(warehouse, lookUp(orderId));
  requireResponse(found, { status: 200, body: { state: 'cancelled' } });
}

async function reportParcel(context: ContractContext): Promise<void> {
  const orderId = newId('order');
  const reports = await shipAndWait(context, orderId, 2);
  for (const report of reports) requireSignature(context, report);
  const ids = new Set(reports.map(({ headers }) => headers['webhook-id']));
  if (ids.size !== 1) {
    throw new ContractViolation(`the callback came under the ids ${[...ids].join(', ')}`);
  }
  const found = await call(context.warehouse, lookUp(orderId));
  requireResponse(found, { status: 200, body: { order_id: orderId, state: stateIn(reports[0]) } });
}

async function cancelTooLate(context: ContractContext): Promise<void> {
  const orderId = newId('order');
  const [report] = await shipAndWait(context, orderId, 1);
  if (stateIn(report) !== 'shipped') {
    throw new ContractViolation(`the parcel did not leave: give --sku goods that there are`);
  }
  const late = await call(context.warehouse, cancel(orderId));
  requireResponse(late, { status: 409, body: { code: 'already_shipped' } });
  for (const member of ['carrier', 'tracking_number']) {
    if (typeof memberOf(late.body, member) === 'string') continue;
    throw new ContractViolation(`${late.call} returned ${late.status} without ${member}`);
  }
}

async function loseResponse({ warehouse, sku, restart }: ContractContext): Promise<void> {
  const orderId = newId('order');
  await callAndHangUp(warehouse, reserve(orderId, sku));
  await restart?.();
  const repeat = () => call(warehouse, reserve(orderId, sku));
  const repeated = await untilSettled(repeat);
  requireResponse(repeated, reserved(orderId));
  requireSame(repeated, await call(warehouse, reserve(orderId, sku)));
  await call(warehouse, release(orderId));
}

async function reserveWhatThereIs({ warehouse, sku }: ContractContext): Promise<void> {
  const orderId = newId('order');
  const first = await call(warehouse, reservePartly(orderId, sku, ASKED));
  requireResponse(first, reserved(orderId));
  const { lines } = partSchema.safeParse(first.body).data ?? {};
  const units = lines?.reduce((sum, { quantity }) => sum + quantity, 0);
  if (units === undefined || units > ASKED || lines?.some((line) => line.sku !== sku)) {
    throw new ContractViolation(`${first.call} listed ${JSON.stringify(first.body)}`);
  }
  requireSame(first, await call(warehouse, reservePartly(orderId, sku, ASKED)));
  await call(warehouse, release(orderId));
}

const ASKED = 2;
/** Without lines everything is reserved. */
const partSchema = z.object({
  lines: z
    .array(z.object({ sku: z.string(), quantity: z.int().min(1) }))
    .min(1)
    .default([]),
});

const REPEAT_WITHIN_MS = 30_000;
const POLL_MS = 100;

/** The first request may still run, and a restarted warehouse may not answer yet. */
async function untilSettled(repeat: () => Promise<WarehouseResponse>): Promise<WarehouseResponse> {
  const deadline = performance.now() + REPEAT_WITHIN_MS;
  for (;;) {
    const found = await repeat().catch((error: unknown) => {
      if (performance.now() > deadline) throw error;
      return null;
    });
    const isRunning = memberOf(found?.body, 'code') === 'idempotency_key_in_use';
    if (found !== null && (!isRunning || performance.now() > deadline)) return found;
    await delay(POLL_MS);
  }
}

/** Requests the shipment and waits for this many attempts at its callback. */
async function shipAndWait(
  { warehouse, receiver, ...context }: ContractContext,
  orderId: OrderId,
  count: number,
): Promise<readonly Received[]> {
  const before = receiver.received.length;
  const accepted = await call(warehouse, ship(orderId, context));
  requireResponse(accepted, { status: 202, body: { state: 'requested' } });
  const deadline = performance.now() + context.callbackWithinMs;
  for (;;) {
    const reports = receiver.received
      .slice(before)
      .filter((each) => dataOf(each)?.data.correlation_id === shipmentCorrelationId(orderId));
    if (reports.length >= count) return reports;
    if (performance.now() > deadline) {
      const seconds = context.callbackWithinMs / 1_000;
      throw new ContractViolation(
        `${reports.length} of ${count} callbacks arrived at ${context.callbackUrl} within ${seconds} s`,
      );
    }
    await delay(POLL_MS);
  }
}

const reportSchema = z.object({
  type: z.enum(['shipment.shipped', 'shipment.refused']),
  data: z.object({ correlation_id: z.string() }),
});

/** Null: it is not a report about a shipment. */
function dataOf({ body }: Received) {
  try {
    return reportSchema.safeParse(JSON.parse(body)).data ?? null;
  } catch {
    return null;
  }
}

function stateIn(report: Received | undefined): string | undefined {
  return (report && dataOf(report))?.type.replace('shipment.', '');
}

function requireSignature({ callbackSecret }: ContractContext, { body, headers }: Received): void {
  try {
    new Webhook(callbackSecret).verify(body, headers);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ContractViolation(`the signature of the callback does not verify: ${reason}`);
  }
}

function requireSame(first: WarehouseResponse, repeated: WarehouseResponse): void {
  const text = ({ status, body }: WarehouseResponse): string => `${status} ${JSON.stringify(body)}`;
  if (text(first) === text(repeated)) return;
  throw new ContractViolation(
    `${first.call} returned ${text(first)}, and ${text(repeated)} when it was repeated`,
  );
}

function reserved(orderId: OrderId) {
  return { status: 201, body: { order_id: orderId, state: 'reserved' } };
}
