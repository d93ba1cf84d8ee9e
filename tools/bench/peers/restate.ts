/** Restate (https://docs.restate.dev): its server keeps the journal and calls this process over HTTP/2. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as restate from '@restatedev/restate-sdk';
import type { OrderId } from '../../../domain/ids.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';
import { checkout, type Engine, type Peer, type Steps } from './engine.ts';

const [SERVICE_PORT, INGRESS_PORT, ADMIN_PORT, NODE_PORT] = [9_081, 8_081, 9_071, 5_123];
const INGRESS = `http://127.0.0.1:${INGRESS_PORT}/checkout`;
const READY_TRIES = 100;

export async function createEngine({ steps }: Peer): Promise<Engine> {
  startServer();
  await restate.serve({ services: [createWorkflow(steps)], port: SERVICE_PORT });
  await register();
  return {
    start: (orderId) => post(`${INGRESS}/${orderId}/run/send`, orderId),
    shipmentAnswered: (orderId, answered) => post(`${INGRESS}/${orderId}/answered/send`, answered),
  };
}

function createWorkflow(steps: Steps) {
  return restate.workflow({
    name: 'checkout',
    handlers: {
      run: (context: restate.WorkflowContext, orderId: OrderId) =>
        checkout(
          { steps, orderId },
          {
            step: (name, work) => context.run(name, work),
            answer: () => context.promise<ShipmentAnswered>('answer').get(),
          },
        ),
      answered: (context: restate.WorkflowSharedContext, answer: ShipmentAnswered) =>
        context.promise<ShipmentAnswered>('answer').resolve(answer),
    },
  });
}

/** The server of this process: it ends with it, and its journal too. */
function startServer(): void {
  const dir = mkdtempSync(join(tmpdir(), 'bench-restate-'));
  const server = spawn(binary(), ['--base-dir', dir], {
    stdio: 'ignore',
    env: {
      ...process.env,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${NODE_PORT}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${INGRESS_PORT}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${ADMIN_PORT}`,
      RESTATE_LOG_FILTER: 'error',
    },
  });
  process.once('exit', () => {
    server.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });
}

/** Tells the server where this process is, once it accepts requests. */
async function register(): Promise<void> {
  const deployment = { uri: `http://127.0.0.1:${SERVICE_PORT}`, force: true };
  for (let tries = 1; ; tries += 1) {
    try {
      return await post(`http://127.0.0.1:${ADMIN_PORT}/deployments`, deployment);
    } catch (error) {
      if (tries === READY_TRIES) throw error;
      await delay(100);
    }
  }
}

async function post(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`restate: ${response.status} ${answer}`);
}

function binary(): string {
  const require = createRequire(import.meta.url);
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'restate-server');
}
