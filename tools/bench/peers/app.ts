/**
 * The app with another engine behind the answer: `app.ts <graphile|restate|dbos|temporal>`, or `bare`.
 * The API is the app's own. What it sends to Temporal goes to the engine instead, which runs in this
 * process. Everything else about orders (cancels, decisions, recovery) is left out.
 */
import process from 'node:process';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { readAppConfig, readTemporalConfig } from '../../../config.ts';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../../domain/ids.ts';
import { runProgram } from '../../../run.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';
import type { Engine, Peer } from './engine.ts';
import { openShop } from './shop.ts';

/** Restate's SDK calls it, and Node 20 has none. */
Promise.withResolvers ??= function withResolvers<T>() {
  const parts: Partial<PromiseWithResolvers<T>> = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return { ...parts, promise } as PromiseWithResolvers<T>;
};

const ENGINES: Readonly<
  Record<string, () => Promise<{ createEngine(peer: Peer): Promise<Engine> }>>
> = {
  graphile: () => import('./graphile.ts'),
  restate: () => import('./restate.ts'),
  dbos: () => import('./dbos.ts'),
  temporal: () => import('./temporal.ts'),
};

const [, , name = ''] = process.argv;
const config = readAppConfig();
const shop = openShop(config);

if (name === 'bare') {
  const { serveBare } = await import('./bare.ts');
  await serveBare(config, shop);
} else {
  const load = ENGINES[name];
  if (!load) throw new Error(`name one of bare, ${Object.keys(ENGINES).join(', ')}`);
  const { createEngine } = await load();
  const { connectionOptions, namespace = 'default' } = readTemporalConfig();
  const address = connectionOptions?.address ?? '127.0.0.1:7233';
  const running = runProgram(() => ({
    payments: (gateway) => gateway,
    warehouse: (gateway) => gateway,
    mailer: (mailer) => mailer,
    sms: (sender) => sender,
    webhooks: (sender) => sender,
    temporal: [insteadOfTemporal(() => engine)],
    onCommit: undefined,
  }));
  // After the app has installed Temporal's runtime, which one process can do once.
  const { steps } = shop;
  const { DATABASE_URL: databaseUrl } = config;
  const engine = createEngine({ steps, databaseUrl, temporal: { address, namespace } });
  await Promise.all([running, engine]);
}

function insteadOfTemporal(engine: () => Promise<Engine>): WorkflowClientInterceptor {
  return {
    async startWithDetails({ options }) {
      await (await engine()).start(orderIdOf(options.workflowId));
      return { runId: options.workflowId, eagerlyStarted: false };
    },
    async signal({ workflowExecution, args: [answered] }) {
      const orderId = orderIdOf(workflowExecution.workflowId);
      await (await engine()).shipmentAnswered(orderId, answered as ShipmentAnswered);
    },
  };
}

function orderIdOf(workflowId: string | null | undefined): OrderId {
  const orderId = workflowId?.split('/').at(-1) ?? '';
  if (!isOrderId(orderId) || checkoutWorkflowId(orderId) !== workflowId)
    throw new Error(`no peer runs ${workflowId}`);
  return orderId;
}
