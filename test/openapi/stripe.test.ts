/** The gateway's calls and the sandbox's answers, held to the OpenAPI document that Stripe publishes. */
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { PAYMENT_WEBHOOK_EVENTS } from '../../gateways/stripe/events.ts';
import { createSandbox } from '../../local/sandbox/sandbox.ts';
import { API_VERSION, printedEvents } from '../../tools/doctor/events.ts';
import { checkStripe } from '../../tools/doctor/stripe.ts';
import { SECRET } from '../gateways/stripe-sandbox.ts';
import { rowsOf, unquoted } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { readRequest, startHttpServer } from '../support/http-server.ts';
import { startRecordingProxy, type Exchange } from '../support/recording-proxy.ts';
import { callEverything, gatewayAt, playCards } from './stripe-calls.ts';
import { BUILD_TIMEOUT_MS, findStripeMock, startStripeMock } from './stripe-mock.ts';
import { readStripeSchema, type StripeSchema } from './stripe-schema.ts';

/**
 * The schema is a release older than the package. Who changes one of them reads in the package's
 * changelog whether anything between the two concerns a call, an answer or an event that is used here.
 */
const VERSIONS = { schema: '2026-08-26.dahlia', package: '2026-09-30.endive' };

let mock: { readonly url: string; readonly schema: StripeSchema } | null = null;
beforeAll(async () => {
  const found = await findStripeMock();
  if (found === null) return undefined;
  const { url, close } = await startStripeMock(found);
  mock = { url, schema: readStripeSchema(found.specFile) };
  return async () => {
    await close();
  };
}, BUILD_TIMEOUT_MS);

beforeEach((context) => {
  if (mock === null) context.skip('there is no stripe-mock: neither Go nor a built one');
});

test('every call of the gateway, with every parameter, is one that Stripe documents', async () => {
  const { url, schema } = required();
  const proxy = await openProxy(url);
  await callEverything(gatewayAt(proxy.url));
  expect(refusals(proxy.exchanges)).toEqual([]);
  const calls = new Set(proxy.exchanges.map(schema.callOf));
  const documented = rowsOf('docs/stripe.md', 'call').map(([, call = '']) => unquoted(call));
  expect([...calls].toSorted()).toEqual([...new Set(documented)].toSorted());
});

test('a parameter that Stripe does not document, or of another type, is refused here', async () => {
  const { url } = required();
  const post = async (body: Readonly<Record<string, string>>): Promise<number> => {
    const headers = { authorization: 'Bearer sk_test_local' };
    const form = new URLSearchParams({ amount: '2400', currency: 'eur', ...body });
    const response = await fetch(`${url}/v1/payment_intents`, {
      method: 'POST',
      headers,
      body: form,
    });
    return response.status;
  };
  expect(await post({})).toBe(200);
  expect(await post({ capture_methods: 'manual' })).toBe(400);
  expect(await post({ capture_method: 'later' })).toBe(400);
});

test('every answer of the sandbox has the form that Stripe documents', async () => {
  const { schema } = required();
  const sandbox = await openSandbox();
  const proxy = await openProxy(sandbox.url);
  const gateway = gatewayAt(proxy.url);
  await playCards(gateway, sandbox.url);
  await callEverything(gateway);
  await checkStripe(settingsOf(proxy.url));
  expect(proxy.exchanges.length).toBeGreaterThan(50);
  expect(problemsOf(schema, proxy.exchanges)).toEqual([]);
  const statuses = new Set(proxy.exchanges.map(({ status }) => status));
  expect(statuses).toEqual(new Set([200, 400, 402, 404]));
});

test('the sandbox sends every event that is listed, each in the form that Stripe documents', async () => {
  const { schema } = required();
  const events: unknown[] = [];
  const receiver = await startHttpServer(async (request, response) => {
    events.push(JSON.parse((await readRequest(request)).body));
    response.writeHead(200).end();
  });
  onTestFinished(receiver.close);
  const sandbox = await openSandbox();
  sandbox.aimPaymentsWebhook({ url: receiver.url, secret: SECRET });
  const gateway = gatewayAt(sandbox.url);
  await playCards(gateway, sandbox.url);
  await callEverything(gateway);
  await eventually(() => {
    const types = events.map((event) => z.object({ type: z.string() }).parse(event).type);
    expect(new Set(types)).toEqual(new Set(Object.keys(PAYMENT_WEBHOOK_EVENTS)));
  });
  expect([...new Set(events.flatMap(schema.problemsOfEvent))]).toEqual([]);
});

test('the printed command creates an endpoint for events that all exist at Stripe', async () => {
  const { url } = required();
  const data = [...printedEvents(undefined).matchAll(/-d "(.*?)=(.*?)"/g)];
  const fields = data.map(([, name = '', value = '']): [string, string] => [name, value]);
  expect(fields).toContainEqual(['api_version', API_VERSION]);
  expect(fields).toHaveLength(2 + Object.keys(PAYMENT_WEBHOOK_EVENTS).length);
  // The mock's document ends with the release before.
  const known = fields.filter(([name]) => name !== 'api_version');
  const response = await fetch(`${url}/v1/webhook_endpoints`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_local' },
    body: new URLSearchParams(known),
  });
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
});

test('every call of the check of an account is a read that Stripe documents', async () => {
  const proxy = await openProxy(required().url);
  await checkStripe(settingsOf(proxy.url));
  expect(refusals(proxy.exchanges)).toEqual([]);
  expect(new Set(proxy.exchanges.map(({ method }) => method))).toEqual(new Set(['GET']));
});

test('the schema and the package have the API versions whose differences were reviewed', () => {
  expect({ schema: required().schema.version, package: API_VERSION }).toEqual(VERSIONS);
});

function required() {
  if (mock === null) throw new Error('the test should have been skipped');
  return mock;
}

async function openProxy(url: string) {
  const proxy = await startRecordingProxy(url);
  onTestFinished(proxy.close);
  return proxy;
}

async function openSandbox() {
  const sandbox = await createSandbox({ warehouseCallbackSecret: SECRET });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

function settingsOf(apiUrl: string) {
  return { apiKey: 'sk_test_local', apiUrl, publicUrl: undefined, webhookSecrets: [] };
}

/** What the mock did not accept: it answers everything that its document allows with 200. */
function refusals(exchanges: readonly Exchange[]) {
  return exchanges
    .filter(({ status }) => status !== 200)
    .map(({ method, path, query, body, response }) => ({
      call: `${method} ${path}?${query.toString()} ${body}`,
      response,
    }));
}

function problemsOf(schema: StripeSchema, exchanges: readonly Exchange[]): readonly string[] {
  return [...new Set(exchanges.flatMap(schema.problemsOf))];
}
