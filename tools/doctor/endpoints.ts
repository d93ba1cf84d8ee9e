/** Whether Stripe sends this shop the events that it acts on. */
import type Stripe from 'stripe';
import { API_VERSION, CALLBACK_PATH, EVENTS } from './events.ts';
import { found, type Finding } from './finding.ts';

const PRINT = 'npm run doctor -- --events prints the list and the command';
/** Every event, except those that have to be named. */
const ALL = '*';

/** `publicUrl`: the address of the API, where the configuration has it. */
export function checkEndpoints(
  endpoints: readonly Stripe.WebhookEndpoint[],
  publicUrl: string | undefined,
): readonly Finding[] {
  const ours = endpoints.filter(({ url }) => pathOf(url).endsWith(CALLBACK_PATH));
  if (ours.length === 0) {
    const text = `no webhook endpoint has a URL that ends with ${CALLBACK_PATH}: create it; ${PRINT}`;
    return [found('failed', text)];
  }
  const findings = ours.flatMap((endpoint) => checkEndpoint(endpoint, publicUrl));
  if (ours.filter(({ status }) => status === 'enabled').length < 2) return findings;
  const text = 'several endpoints are enabled: every event comes once from each; keep one';
  return [...findings, found('warning', text)];
}

function checkEndpoint(
  endpoint: Stripe.WebhookEndpoint,
  publicUrl: string | undefined,
): readonly Finding[] {
  const { url, status } = endpoint;
  const isEnabled = status === 'enabled';
  const findings = [
    isEnabled
      ? found('passed', `webhook endpoint ${url} is enabled`)
      : found('failed', `webhook endpoint ${url} is ${status}: enable it in the dashboard`),
    ...checkEvents(endpoint.enabled_events),
    checkVersion(endpoint.api_version),
  ];
  if (publicUrl === undefined || url === new URL(CALLBACK_PATH, publicUrl).href) return findings;
  const text = `webhook endpoint ${url} is not at PUBLIC_URL, ${publicUrl}: is it another shop's?`;
  return [...findings, found('warning', text)];
}

function checkEvents(subscribed: readonly string[]): readonly Finding[] {
  if (subscribed.includes(ALL)) {
    const text = `it is subscribed to all events; ${EVENTS.length} are used: ${PRINT}`;
    return [found('warning', text)];
  }
  const missing = EVENTS.filter((type) => !subscribed.includes(type));
  const superfluous = subscribed.filter((type) => !EVENTS.includes(type));
  const findings = [
    missing.length === 0
      ? found('passed', `it is subscribed to all ${EVENTS.length} events that are used`)
      : found('failed', `it is not subscribed to ${missing.join(', ')}: add them; ${PRINT}`),
  ];
  if (superfluous.length === 0) return findings;
  const text = `it is subscribed to ${superfluous.join(', ')}, which nothing here uses: remove them`;
  return [...findings, found('warning', text)];
}

/** The version of an endpoint cannot be changed; a new endpoint has the one it is created with. */
function checkVersion(version: string | null): Finding {
  if (version === API_VERSION) return found('passed', `its events have API version ${version}`);
  const has = version === null ? "the account's API version" : `API version ${version}`;
  return found(
    'warning',
    `its events have ${has}, and are read as ${API_VERSION}: a new endpoint can have that version`,
  );
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : '';
}
