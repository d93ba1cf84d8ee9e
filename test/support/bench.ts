/**
 * A whole checkout for tests: its own database, its own providers, real activities and a real worker
 * on the given Temporal server. Only the providers are stood in for.
 */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../activities/index.ts';
import { providerKey, type OrderId } from '../../domain/ids.ts';
import { PAYMENT_LIMITS, WAREHOUSE_LIMITS, MAIL_LIMITS } from '../../gateways/limits.ts';
import type { CallLimits } from '../../gateways/guard.ts';
import { createHttpWarehouse } from '../../gateways/http-warehouse.ts';
import { createSmtpMailer } from '../../gateways/smtp-mailer.ts';
import { createStripePayments } from '../../gateways/stripe-payments.ts';
import { createSandbox, type Sandbox } from '../../local/sandbox/sandbox.ts';
import { createDatabase, type Database } from '../../prisma/client.ts';
import { openOrder, recordPlaced } from '../../prisma/placing.ts';
import { seed } from '../../prisma/seed.ts';
import type { checkout } from '../../workflows/checkout.ts';
import {
  CHECKOUT_WORKFLOW,
  checkoutStartOptions,
  TASK_QUEUE,
  type CheckoutInput,
} from '../../workflows/contract.ts';
import { createTestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { expectInvariants } from './invariants.ts';

export const CALLBACK_SECRET = `whsec_${Buffer.from('a test secret of 24 bytes').toString('base64')}`;

/** The canaries: a person's data, never to be found in Temporal. */
export const PERSON = {
  email: 'canary.person@example.com',
  name: 'Canary Person',
  phone: '+49 30 5550100',
  street: '77 Canary Street',
  paymentMethod: 'pm_card_visa',
} as const;

export type CheckoutHandle = WorkflowHandleWithFirstExecutionRunId<typeof checkout>;

export interface Providers {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly sandbox: Sandbox;
  readonly gateways: ReturnType<typeof createGateways>;
  /** Takes an order the way the API does: held, authorized, placed. */
  place(line?: { sku?: string; quantity?: number }): Promise<CheckoutInput>;
  close(): Promise<void>;
}

export interface Bench extends Providers {
  /** The worker's own queue. */
  readonly taskQueue: string;
  /** Places an order and starts its workflow. */
  start(line?: { sku?: string; quantity?: number }): Promise<CheckoutHandle>;
}

export interface ProvidersOptions {
  /** Parcels leave at once unless told to wait. */
  readonly callbackDelayMs?: number;
  /** Of a call to a provider. */
  readonly deadlineMs?: number;
}

/**
 * A call that hangs costs as long. Long enough that one without fault never misses it, on a machine
 * that is busy with other tests.
 */
const DEADLINE_MS = 3_000;

/** Database and providers, without Temporal. */
export async function createProviders(options: ProvidersOptions = {}): Promise<Providers> {
  const { callbackDelayMs = 0, deadlineMs = DEADLINE_MS } = options;
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url, poolSize: 8 });
  const sandbox = await createSandbox({
    warehouseCallbackSecret: CALLBACK_SECRET,
    callbackDelayMs,
    retryDelaysMs: [],
  });
  await seed(db);
  const gateways = createGateways(sandbox, deadlineMs);
  return {
    db,
    databaseUrl: database.url,
    sandbox,
    gateways,
    place: (line = {}) => placeOrder({ db, gateways }, line),
    async close() {
      gateways.mailer.close();
      await db.$disconnect();
      await sandbox.close();
      await database.drop();
    },
  };
}

/** Database, providers and a running worker. */
export async function createBench(
  temporal: ProvidersOptions & {
    readonly client: Client;
    readonly connection: NativeConnection;
    readonly maxCachedWorkflows?: number;
  },
): Promise<Bench> {
  const providers = await createProviders(temporal);
  const worker = await createWorker(providers, temporal);
  const running = worker.run();
  return {
    ...providers,
    taskQueue: worker.options.taskQueue,
    async start(line) {
      const input = await providers.place(line);
      return temporal.client.workflow.start<typeof checkout>(CHECKOUT_WORKFLOW, {
        ...checkoutStartOptions(input),
        taskQueue: worker.options.taskQueue,
      });
    },
    async close() {
      worker.shutdown();
      await running;
      try {
        await expectInvariants(providers.db);
      } finally {
        await providers.close();
      }
    },
  };
}

function createWorker(
  { db, gateways }: Providers,
  temporal: { readonly connection: NativeConnection; readonly maxCachedWorkflows?: number },
): Promise<Worker> {
  return Worker.create({
    connection: temporal.connection,
    // Own queue: workers of other benches on the same server have other databases.
    taskQueue: `${TASK_QUEUE}-${randomUUID()}`,
    workflowsPath: new URL('../../workflows/index.ts', import.meta.url).pathname,
    activities: createActivities({
      db,
      ...gateways,
      warehouseCallbackUrl: 'http://127.0.0.1:9/callbacks/warehouse',
    }),
    ...(temporal.maxCachedWorkflows !== undefined && {
      maxCachedWorkflows: temporal.maxCachedWorkflows,
    }),
  });
}

/** The providers with deadlines of the tests, and breakers that stay closed. */
export function createGateways(sandbox: Sandbox, deadlineMs = DEADLINE_MS) {
  return {
    payments: createStripePayments({
      apiKey: 'sk_test_bench',
      apiUrl: sandbox.url,
      limits: limited(PAYMENT_LIMITS, deadlineMs),
    }),
    warehouse: createHttpWarehouse({
      baseUrl: sandbox.url,
      apiKey: 'bench',
      limits: limited(WAREHOUSE_LIMITS, deadlineMs),
    }),
    mailer: createSmtpMailer({
      smtpUrl: `smtp://127.0.0.1:${sandbox.smtpPort}`,
      from: 'Holdfast <orders@holdfast.example>',
      limits: limited(MAIL_LIMITS, deadlineMs),
    }),
  };
}

/** Breakers stay closed: their clock is real while Temporal's is skipped. */
function limited<T extends object>(limits: T, deadlineMs: number): T {
  const entries = Object.entries(limits).map(([name, each]: [string, CallLimits]) => [
    name,
    { ...each, deadlineMs, breakAfter: 1_000_000 },
  ]);
  return Object.fromEntries(entries);
}

async function placeOrder(
  { db, gateways }: Pick<Providers, 'db' | 'gateways'>,
  { sku = 'mug-white', quantity = 2 }: { sku?: string; quantity?: number },
): Promise<CheckoutInput> {
  const product = await db.product.findUniqueOrThrow({ where: { sku } });
  const { priceMinor: unitPriceMinor, name, currency } = product;
  const totalMinor = unitPriceMinor * quantity;
  const claim = { apiKeyId: 'bench', scope: 'orders', key: randomUUID(), fingerprint: 'bench' };
  const opened = await openOrder(db, claim, {
    customer: { email: PERSON.email, name: PERSON.name, phone: PERSON.phone },
    shippingAddress: { line1: PERSON.street, city: 'Berlin', postalCode: '10115', country: 'DE' },
    lines: [{ sku, name, quantity, unitPriceMinor }],
    currency,
    totalMinor,
    paymentMethod: PERSON.paymentMethod,
    correlationId: randomUUID(),
    traceparent: null,
  });
  if (opened.kind !== 'opened') throw new Error(`not opened: ${opened.kind}`);
  const { order } = opened;
  const authorized = await eventually(async () => {
    const outcome = await gateways.payments.authorize({
      key: providerKey(order.id, 'authorize'),
      orderId: order.id,
      amount: { amountMinor: totalMinor, currency },
      paymentMethod: PERSON.paymentMethod,
    });
    if (outcome.kind !== 'authorized') throw new Error(`not authorized: ${outcome.kind}`);
    return outcome;
  });
  await recordPlaced(db, order, {
    reference: authorized.reference,
    answer: ({ id }) => ({ status: 201, body: JSON.stringify({ id }) }),
  });
  return { orderId: order.id, totalMinor, currency, skus: [sku], correlationId: 'bench' };
}

/** The order behind a workflow. */
export function orderIdOf(handle: CheckoutHandle): OrderId {
  return brand(handle.workflowId.slice('checkout/'.length));
}

function brand(id: string): OrderId {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the id was cut from a workflow id
  return id as OrderId;
}
