import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { LOCAL_SECRETS } from '../../config/production.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';
import { checkContract, refuseFirst } from '../../tools/contract/checks.ts';
import { readOptions } from '../../tools/contract/options.ts';
import { openReceiver } from '../../tools/http-receiver.ts';
import { readRequest, startHttpServer, type ReceivedRequest } from '../support/http-server.ts';
import { CALLBACK_SECRET, openSandbox } from './shop.ts';

test('the sandbox passes every check of the warehouse contract', async () => {
  const sandbox = await openSandbox();
  expect(await failing(sandbox.url)).toEqual([]);
});

test.each([
  ['that forgets keys', [1], { change: (sent: Sent) => ({ ...sent, key: randomUUID() }) }],
  ['that leaves no mark for a release', [2], { answer: itself(/\/release$/, 'released') }],
  ['that leaves no mark for a cancel', [3, 5], { answer: itself(/\/cancel$/, 'cancelled') }],
  ['that refuses a repeated key', [1, 6, 7], { answer: refuseRepeats() }],
  ['that reserves more than was asked for', [7], { answer: reserveMore() }],
  ['that hides the tracking number', [5], { hide: 'tracking_number' }],
] as const)('a warehouse %s fails the checks about that: %j', async (_name, checks, breakage) => {
  const sandbox = await openSandbox();
  expect(await failing(await openBroken(sandbox, breakage))).toEqual(checks);
});

test('a warehouse that signs with another secret fails the check of the callback', async () => {
  const sandbox = await openSandbox({ warehouseCallbackSecret: LOCAL_SECRETS.warehouseCallback });
  expect(await failing(sandbox.url)).toEqual([4]);
});

test('the contract test names what it needs when its command line is wrong', () => {
  expect(() => readOptions([])).toThrow('--warehouse needs an http(s) URL.');
  expect(() => readOptions(['--warehouse', 'ftp://warehouse'])).toThrow('--warehouse needs');
  expect(() => readOptions(['--warehuose', 'http://warehouse'])).toThrow('--warehuose');
  const { url, apiKey } = readOptions(['--warehouse', 'http://warehouse']).warehouse;
  expect([url, apiKey]).toEqual(['http://warehouse', LOCAL_SECRETS.warehouseKey]);
});

/** The numbers of the checks that fail. */
async function failing(url: string): Promise<readonly number[]> {
  const at = { host: '127.0.0.1', port: 0 };
  const receiver = await openReceiver(at, refuseFirst);
  onTestFinished(receiver.close);
  const results = await checkContract({
    warehouse: { url, apiKey: 'warehouse_local' },
    callbackSecret: CALLBACK_SECRET,
    callbackUrl: `http://127.0.0.1:${receiver.port}/callbacks/warehouse`,
    receiver,
    sku: 'mug-white',
    callbackWithinMs: 30_000,
    restart: null,
  });
  expect(results).toHaveLength(7);
  return results.flatMap(({ problem }, index) => (problem === null ? [] : index + 1));
}

interface Sent extends ReceivedRequest {
  readonly method: string;
  readonly key: string | undefined;
}

interface Breakage {
  readonly change?: (sent: Sent) => Sent;
  /** What it responds instead of the sandbox; null: the sandbox responds. */
  readonly answer?: (sent: Sent) => { readonly status: number; readonly body: object } | null;
  /** A member that no response has. */
  readonly hide?: string;
}

/** The sandbox behind a proxy that breaks the contract. */
async function openBroken(sandbox: Sandbox, breakage: Breakage): Promise<string> {
  const { change = (sent) => sent, answer = () => null, hide = '' } = breakage;
  const server = await startHttpServer(async (incoming, outgoing) => {
    const request = await readRequest(incoming);
    const key = request.headers['idempotency-key'];
    const sent = change({ ...request, method: incoming.method ?? 'GET', key });
    const { status, body } = answer(sent) ?? (await forward(sandbox, sent));
    outgoing.writeHead(status, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ ...body, [hide]: undefined }));
  });
  onTestFinished(server.close);
  return server.url;
}

async function forward(sandbox: Sandbox, { method, path, headers, key, body }: Sent) {
  const response = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      authorization: headers['authorization'] ?? '',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    ...(method === 'POST' && { body }),
  });
  const answered: unknown = await response.json();
  return { status: response.status, body: { ...(typeof answered === 'object' && answered) } };
}

/** Answers calls to the path without doing anything. */
function itself(path: RegExp, state: string): NonNullable<Breakage['answer']> {
  return (sent) => (path.test(sent.path) ? { status: 200, body: { state } } : null);
}

/** Where the customer takes what there is. */
function reserveMore(): NonNullable<Breakage['answer']> {
  return ({ body }) => {
    const { order_id, partial, lines } = Object(body === '' ? {} : JSON.parse(body));
    if (partial !== true) return null;
    return { status: 201, body: { order_id, state: 'reserved', lines: [...lines, ...lines] } };
  };
}

function refuseRepeats(): NonNullable<Breakage['answer']> {
  const seen = new Set<string>();
  return ({ path, key = randomUUID() }) => {
    if (!path.endsWith('/reservations') || !seen.has(key)) {
      seen.add(key);
      return null;
    }
    return { status: 409, body: { code: 'refused', reason: 'seen' } };
  };
}
