/** The SMS provider: the part of Twilio's REST API that sends a message and lists the sent ones. */
import { Hono } from 'hono';
import type { CallLog } from '../call-log.ts';
import { attempt, type SandboxEnv } from '../calls.ts';
import type { SandboxClock } from '../clock.ts';
import type { Faults } from '../faults.ts';
import { createIdempotencyStore } from '../idempotency-store.ts';
import type { Journal } from '../journal.ts';
import type { Ledger } from '../ledger.ts';
import { internal, rejected, tooMany, unauthorized } from './errors.ts';
import { createTexts, type Texts } from './texts.ts';

export interface SmsOptions {
  readonly journal: Journal;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly ledger: Ledger;
}

export interface Sms {
  readonly routes: Hono<SandboxEnv>;
  readonly texts: Texts;
}

const PATH = '/Accounts/:account/Messages.json';

export function createSms({ journal, clock, faults, calls, ledger }: SmsOptions): Sms {
  const texts = createTexts(journal, clock, ledger);
  const context = {
    provider: 'sms',
    journal,
    faults,
    calls,
    // No call has a key.
    keys: createIdempotencyStore(journal, clock, { ttlMs: null }),
    failed: internal,
    rejected,
    keyMismatch: internal,
    keyInUse: internal,
  } as const;
  const keyless = { key: null, fingerprint: '', orderId: null } as const;
  const routes = new Hono<SandboxEnv>();
  routes.use('/Accounts/:account/*', async (c, next) => {
    const account = c.req.param('account');
    const isKnown =
      /^AC[0-9a-f]{32}$/i.test(account) && userOf(c.req.header('authorization')) === account;
    return isKnown ? next() : c.json(unauthorized().body, 401);
  });
  routes.post(PATH, async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const run = (refused: boolean) => texts.create(c.req.param('account'), form, refused);
    return attempt(c, context, { ...keyless, operation: 'send', run });
  });
  routes.get(PATH, (c) => {
    const query = new URL(c.req.url).searchParams;
    const run = (refused: boolean) =>
      refused ? tooMany() : texts.list(c.req.param('account'), query);
    return attempt(c, context, { ...keyless, operation: 'lookup', run });
  });
  return { routes, texts };
}

/** The user of HTTP Basic authentication that has a password, too. */
function userOf(authorization = ''): string | null {
  const [, encoded = ''] = /^Basic (\S+)$/.exec(authorization) ?? [];
  const [, user = null] = /^([^:]+):./.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  return user;
}
