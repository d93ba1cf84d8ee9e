/** Demos on an API that does not do what their story says. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { newId } from '../../prisma/client/ids.ts';
import { PATTERNS } from '../../tools/demo/patterns.ts';
import { createShop } from '../../tools/demo/shop.ts';
import { createStage, type PatternDemo } from '../../tools/demo/stage.ts';
import { WORK } from '../../tools/demo/work.ts';
import { createSandboxClient } from '../../tools/sandbox-client.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';

const ORDER = { id: newId('order'), status: 'shipped', warnings: [], data: [] };
const POSTER = { name: 'Poster', description: null, currency: 'EUR' };

test('the demo of the cache fails where every read comes from the database', async () => {
  expect(await failuresOf(PATTERNS['cache'])).toEqual([
    expect.stringMatching(/^read from the cache is .*false/),
  ]);
  expect(await failuresOf(WORK['catalog'])).toContainEqual(
    expect.stringMatching(/^served from memory is false/),
  );
});

test('the demo of independent reads fails where a page does not wait for the warehouse', async () => {
  // However busy the machine is, the pages take no time.
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  expect(await failuresOf(WORK['independent reads'])).toEqual([
    expect.stringMatching(/^they waited for the warehouse is false/),
  ]);
});

/** What the demo finds wrong with an API that has no cache and asks no warehouse. */
async function failuresOf(demo: PatternDemo | undefined): Promise<readonly string[]> {
  const { url, close } = await startApi();
  onTestFinished(close);
  const { signal } = new AbortController();
  const nothing = () => Promise.resolve();
  const stage = createStage(
    {
      shop: createShop(url, signal),
      sandbox: createSandboxClient({ url, signal }),
      temporalUi: null,
      run: 'run',
      signal,
      say: () => undefined,
    },
    {
      api: url,
      parts: { stop: nothing, start: nothing, kill: () => undefined, restore: nothing },
    },
  );
  await demo?.show(stage);
  return stage.failures;
}

/** The API and the sandbox in one: a product with a price, orders that are shipped, faults that do nothing. */
function startApi() {
  let price = 1_000;
  return startHttpServer(async (request, response) => {
    const { path, body } = await readRequest(request);
    const answer = (status: number, json: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    const { method } = request;
    const given = body === '' ? {} : JSON.parse(body);
    if (path.startsWith('/v1/products/')) {
      if (method === 'PUT') price = given.price_minor;
      return answer(200, { ...POSTER, price_minor: price });
    }
    if (method !== 'POST') return answer(200, ORDER);
    const expected = given.expected_total_minor ?? price;
    return expected === price ? answer(201, ORDER) : answer(409, { code: 'price_changed' });
  });
}
