import { execFile } from 'node:child_process';
import { cp, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { listen } from '../../api/server.ts';
import { environment } from '../../config.ts';
import { PROJECT } from '../../local/stack/home.ts';
import { orderBody } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { fencesOf } from '../support/markdown.ts';
import { makeDir } from '../support/run-files.ts';
import { useRunningShop } from '../support/use-shop.ts';

/**
 * A package of its own, as a client would have it: 130 MB of tools that are not needed to run or
 * change Holdfast.
 */
const CLIENT = join(PROJECT, 'test', 'openapi', 'client');

const shop = useRunningShop({ takesCallbacks: true });
const run = promisify(execFile);
let client: string;

beforeAll(async () => {
  client = makeDir('openapi-client');
  await cp(CLIENT, client, { recursive: true });
  const document = await (await shop.request('GET', '/openapi.json', { role: null })).text();
  await writeFile(join(client, 'openapi.json'), document);
  await npm('ci', '--ignore-scripts', '--no-audit', '--no-fund');
});

test('the recommended rules of Redocly and Spectral find nothing in the OpenAPI document', async () => {
  expect(JSON.parse(await npm('run', '--silent', 'lint'))).toEqual([]);
});

test('clients that openapi-typescript and openapi-ts generate compile, and place orders that are shipped', async () => {
  await npm('run', '--silent', 'generate');
  await npm('run', '--silent', 'build');
  const [host, port] = ['127.0.0.1', await choosePort()];
  const { fetch } = createApp(shop.services);
  const server = await listen({ fetch, host, port });
  try {
    await shop.stock('openapi', 10);
    await shop.order();
    await eventually(async () => {
      // An event can be read when no older transaction of the server runs.
      const feed = await shop.request('GET', '/v1/events?limit=5', { role: 'operator' });
      expect(await feed.json()).toMatchObject({ data: Array(5).fill({}) });
    });
    const body = { ...orderBody(), lines: [{ sku: 'openapi', quantity: 1 }] };
    const args = ['dist/main.js', `http://${host}:${port}`, JSON.stringify(body)];
    const { stdout } = await run(process.execPath, args, { cwd: client });
    const found = { status: 'shipped', code: 'out_of_stock', missing: 1, events: 5 };
    expect(JSON.parse(stdout)).toMatchObject([found, found]);
    for (const { id, location } of JSON.parse(stdout)) expect(location).toBe(`/v1/orders/${id}`);
  } finally {
    await server.close(100);
  }
});

test('the code of docs/storefront.md quotes a cart, places an order once, and passes its events on until it is shipped', async () => {
  const { fetch } = createApp(shop.services);
  const [host, port] = ['127.0.0.1', await choosePort()];
  const server = await listen({ fetch, host, port });
  try {
    await shop.stock('storefront', 10);
    const folder = makeDir('storefront');
    const [place = '', quote = '', follow = ''] = fencesOf('ts')
      .filter(({ document }) => document === 'docs/storefront.md')
      .map(({ text }) => text);
    await writeFile(join(folder, 'place.ts'), place);
    await writeFile(join(folder, 'quote.ts'), quote);
    await writeFile(join(folder, 'follow.ts'), follow);
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'main.ts'), STOREFRONT);
    const body = { ...orderBody(), lines: [{ sku: 'storefront', quantity: 1 }] };
    const env = { ...environment(), HOLDFAST_URL: `http://${host}:${port}` };
    const tsx = createRequire(import.meta.url).resolve('tsx');
    const args = ['--import', pathToFileURL(tsx).href, 'main.ts', JSON.stringify(body)];
    const { stdout } = await run(process.execPath, args, { cwd: folder, env });
    expect(JSON.parse(stdout)).toMatchObject({
      placed: [{ kind: 'placed' }, { kind: 'placed' }],
      refused: { kind: 'refused', code: 'idempotency_key_reused' },
      orders: 1,
      shipped: true,
    });
  } finally {
    await server.close(100);
  }
});

/** A shop of a few lines around the code of the document. */
const STOREFRONT = `
import { orderEvents } from './follow.ts';
import { placeOrder } from './place.ts';
import { quote } from './quote.ts';
const order = JSON.parse(process.argv[2]);
const quoted = await quote({ lines: order.lines, currency: order.currency });
const requested = { ...order, quote: quoted.id };
const placed = [await placeOrder(requested, 'basket-4711'), await placeOrder(requested, 'basket-4711')];
const refused = await placeOrder({ ...order, currency: 'USD' }, 'basket-4711');
const [{ orderId }] = placed;
const { body } = await orderEvents(new Request('http://shop.example/'), orderId);
let text = '';
for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
  text += chunk;
  if (text.includes('event: order.shipped')) break;
}
const orders = new Set(placed.map((each) => each.orderId)).size;
console.log(JSON.stringify({ placed, refused, orders, shipped: true }));
process.exit(0);
`;

async function npm(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('npm', args, { cwd: client, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
