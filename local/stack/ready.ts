/** Printed when everything runs: the addresses, the API keys, an example request. */
import type { Addresses } from './addresses.ts';
import type { Home } from './home.ts';
import { bold, say } from './output.ts';

export function printReady(home: Home, addresses: Addresses, seconds: string): void {
  const { api, sandbox } = addresses;
  const rows = {
    'Demo shop': `${sandbox}/shop  buy, make trouble, watch what goes on behind the answer`,
    Console: `${api}/console  sign in with hf_local_operator`,
    'Start page': `${api}/  everything else`,
    '': '',
    API: `${api}/v1`,
    'API docs': `${api}/docs`,
    'Temporal UI': addresses.temporalUi ?? '(see your Temporal server)',
    Temporal: `${addresses.temporal} (namespace ${addresses.temporalNamespace})`,
    Sandbox: `${sandbox}/  payments, warehouse, faults`,
    Inbox: `${sandbox}/inbox  SMTP 127.0.0.1:${addresses.ports.SMTP_PORT}`,
    PostgreSQL: withoutPassword(addresses),
    Logs: home.logs,
    'API keys': 'hf_local_storefront  hf_local_operator  hf_local_admin',
  };
  say('');
  for (const [name, value] of Object.entries(rows)) say(`  ${bold(name.padEnd(12))} ${value}`);
  say('');
  say('  Place an order:');
  say('');
  say(curl(api));
  say('');
  say(`Holdfast is ready after ${seconds} s: ${sandbox}/shop  Press Ctrl-C to stop.`);
}

function curl(api: string): string {
  const order = {
    customer: { email: 'ada@example.com', name: 'Ada Lovelace' },
    shipping_address: {
      line1: '12 St James Square',
      city: 'London',
      postal_code: 'SW1Y 4JH',
      country: 'GB',
    },
    lines: [{ sku: 'mug-white', quantity: 2 }],
    currency: 'EUR',
    payment_method: 'pm_card_visa',
  };
  return [
    `curl -i ${api}/v1/orders \\`,
    `  -H 'Authorization: Bearer hf_local_storefront' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H "Idempotency-Key: $(date +%s)-$RANDOM" \\`,
    `  -d '${JSON.stringify(order)}'`,
  ].join('\n');
}

/** The local password is no secret; that of an external database is. */
function withoutPassword(addresses: Addresses): string {
  if (addresses.ports.POSTGRES_PORT !== undefined) return addresses.databaseUrl;
  const url = new URL(addresses.databaseUrl);
  if (url.password !== '') url.password = '***';
  return url.href;
}
