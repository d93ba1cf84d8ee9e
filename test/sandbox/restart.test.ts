import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { openJournal } from '../../local/sandbox/journal.ts';
import { nodeCommand } from '../../local/stack/commands.ts';
import { choosePort } from '../support/ports.ts';
import { advance } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { makeDir } from '../support/run-files.ts';
import {
  CALLBACK_SECRET,
  authorize,
  call,
  counted,
  openReceiver,
  openSandbox,
  shipCall,
  stripeOf,
} from './shop.ts';

test('a restart keeps holds, keys, faults, ledgers and the clock', async () => {
  const stateDir = makeDir('sandbox');
  const first = await openSandbox({ stateDir });
  const intent = await authorize(stripeOf(first), { orderId: 'ord_1' });
  const refund = { provider: 'payments', operation: 'refund' } as const;
  first.faults.set(refund, { mode: 'fail_before', times: 2 });
  first.faults.trigger(refund);
  first.clock.setOffset(1000);
  await first.close();

  const second = await openSandbox({ stateDir });
  const stripe = stripeOf(second);
  const replay = await authorize(stripe, { orderId: 'ord_1' });
  expect(replay.id).toBe(intent.id);
  expect(replay.lastResponse.headers['idempotent-replayed']).toBe('true');
  expect(await stripe.paymentIntents.capture(intent.id)).toMatchObject({ status: 'succeeded' });
  expect(second.faults.list()).toMatchObject([{ ...refund, fired: 1, times: 1 }]);
  expect(second.clock.offsetMs()).toBe(1000);
  expect(counted(second, 'payments')).toEqual({ authorize: 1, capture: 1 });
});

test('a callback that the shop rejected before a restart is sent again after it with the same id', async () => {
  const stateDir = makeDir('sandbox');
  const shop = await openReceiver();
  const first = await openSandbox({ stateDir, retryDelaysMs: [100, 100, 100, 100, 100, 100] });
  shop.respondWith(503);
  await call(first, shipCall(shop.url));
  await eventually(() => expect(shop.received.length).toBeGreaterThanOrEqual(1));
  await first.close();
  const refused = shop.received.length;
  shop.respondWith(200);
  await openSandbox({ stateDir });
  await eventually(() => expect(shop.received).toHaveLength(refused + 1));
  expect(new Set(shop.received.map((each) => each.headers['webhook-id'])).size).toBe(1);
});

test('a callback that is pending when the sandbox stops is sent after the restart', async () => {
  const stateDir = makeDir('sandbox');
  const shop = await openReceiver();
  const first = await openSandbox({ stateDir, callbackDelayMs: 60_000 });
  await call(first, shipCall(shop.url));
  await first.close();
  expect(shop.received).toHaveLength(0);
  advance(60_000);
  await openSandbox({ stateDir });
  await eventually(() => expect(shop.received).toHaveLength(1));
  expect(JSON.parse(shop.received[0]?.body ?? '')).toMatchObject({ type: 'shipment.shipped' });
});

test('a reservation made before SIGKILL is replayed after the restart', async () => {
  const stateDir = makeDir('sandbox');
  const [port, smtpPort] = await Promise.all([choosePort(), choosePort()]);
  const args = ['--port', `${port}`, '--smtp-port', `${smtpPort}`, '--state', stateDir];
  const first = await startProcess(args);
  const path = '/warehouse/reservations';
  const body = { order_id: 'ord_1', lines: [{ sku: 'mug-white', quantity: 1 }] };
  const reserve = () => callAt(port, path, body);
  expect((await reserve()).status).toBe(201);
  await stop(first, 'SIGKILL');
  const second = await startProcess(args);
  const replay = await reserve();
  expect(replay.status).toBe(201);
  expect(replay.headers.get('idempotent-replayed')).toBe('true');
  expect(await stop(second, 'SIGTERM')).toBe(0);
});

test('a port in use makes the sandbox exit with 1 and one line on stderr', async () => {
  const sandbox = await openSandbox();
  const port = new URL(sandbox.url).port;
  const child = spawnSandbox(['--port', port, '--smtp-port', '0', '--state', makeDir('sandbox')]);
  const stderr = textOf(child.stderr);
  const [code] = await once(child, 'exit');
  expect(code).toBe(1);
  expect(await stderr).toMatch(new RegExp(`^sandbox: port ${port} on 127.0.0.1 is in use.*\n$`));
});

test('a journal line torn by a crash is dropped, and the lines before it are kept', () => {
  const path = join(makeDir('sandbox'), 'torn.jsonl');
  const spec = { name: 'rows', row: z.number(), limit: 10 };
  const first = openJournal(path);
  first.table(spec).set('a', 1);
  first.close();
  appendFileSync(path, '[["rows","b",');
  const second = openJournal(path);
  const rows = second.table(spec);
  expect([...rows.entries()]).toEqual([['a', 1]]);
  rows.set('c', 3);
  second.close();
  const third = openJournal(path);
  expect([...third.table(spec).entries()]).toEqual([
    ['a', 1],
    ['c', 3],
  ]);
  third.close();
});

test('startup fails with an error that names the unreadable journal file', async () => {
  const stateDir = makeDir('sandbox');
  writeFileSync(join(stateDir, 'payments.jsonl'), '[["intents","pi_1",{"old":true}]]\n');
  await expect(openSandbox({ stateDir })).rejects.toThrow(
    /payments\.jsonl cannot be read at intents/,
  );
  writeFileSync(join(stateDir, 'payments.jsonl'), 'no json\n');
  await expect(openSandbox({ stateDir })).rejects.toThrow(
    /payments\.jsonl cannot be read at byte 0/,
  );
});

test('opening a journal rewrites its file to the rows it holds, and a table stays within its limit', () => {
  const path = join(makeDir('sandbox'), 'small.jsonl');
  const spec = { name: 'rows', row: z.number(), limit: 100 };
  const journal = openJournal(path);
  const rows = journal.table(spec);
  for (let commit = 0; commit < 30; commit += 1) {
    journal.transact(() => {
      for (let n = 0; n < 1_000; n += 1) rows.set(`key ${n % 150}`, commit * 1_000 + n);
    });
  }
  expect(rows.size).toBe(100);
  journal.close();
  const again = openJournal(path);
  expect(readFileSync(path, 'utf8').match(/"key /g)).toHaveLength(100);
  const kept = again.table(spec);
  expect([...kept.entries()]).toEqual([...rows.entries()]);
  kept.set('new', 1);
  again.close();
  const third = openJournal(path);
  expect([...third.table(spec).entries()]).toEqual([...kept.entries()]);
  third.close();
});

function spawnSandbox(args: readonly string[]): ChildProcess {
  const secret = ['--warehouse-callback-secret', CALLBACK_SECRET];
  const command = nodeCommand('local/sandbox/main.ts', [...secret, ...args]);
  const child = spawn(command.file, command.args, { stdio: 'pipe' });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

async function startProcess(args: readonly string[]): Promise<ChildProcess> {
  const child = spawnSandbox(args);
  if (child.stdout === null) throw new Error('the sandbox has no output');
  const [line] = await once(child.stdout, 'data');
  expect(String(line)).toContain('sandbox listening on');
  return child;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}

async function textOf(stream: AsyncIterable<Buffer> | null): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk.toString());
  return chunks.join('');
}

function callAt(port: number, path: string, body: object): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { Authorization: 'Bearer local', 'Idempotency-Key': 'ord_1/reserve' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}

test('a journal whose rows change for ever stays as large as its rows, and keeps the last of each', () => {
  const path = join(makeDir('sandbox'), 'busy.jsonl');
  const row = z.object({ n: z.number(), padding: z.string() });
  const padding = 'x'.repeat(100);
  const journal = openJournal(path, { rewriteAfterBytes: 5_000 });
  const quiet = journal.table({ name: 'quiet', row, limit: 10 });
  quiet.set('a', { n: 1, padding });
  const busy = journal.table({ name: 'busy', row, limit: 10 });
  for (let n = 0; n < 5_000; n += 1) {
    journal.transact(() => busy.set(String(n % 20), { n, padding }));
    expect(statSync(path).size).toBeLessThan(15_000);
  }
  journal.close();
  const again = openJournal(path);
  expect([...again.table({ name: 'quiet', row, limit: 10 }).values()]).toEqual([{ n: 1, padding }]);
  const kept = [...again.table({ name: 'busy', row, limit: 10 }).values()];
  expect(kept.map(({ n }) => n)).toEqual(Array.from({ length: 10 }, (_, index) => 4_990 + index));
  again.close();
});
