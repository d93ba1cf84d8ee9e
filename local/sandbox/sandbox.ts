/**
 * Stands in for the providers: payments, warehouse, mail and SMS over real HTTP and SMTP, with their own
 * state. It acts as a third party: it shares no code with the shop and never sees its database.
 */
import { createServer } from 'node:http';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Link, Site } from '../web/page.ts';
import { createCallLog, type CallLog } from './call-log.ts';
import type { SandboxEnv } from './calls.ts';
import { createChallengeRoutes } from './challenge-routes.ts';
import { createClock } from './clock.ts';
import type { SandboxClock } from './clock.ts';
import { createControlRoutes } from './control.ts';
import { RETRY_DELAYS_MS } from './deliveries.ts';
import { createFaults } from './faults.ts';
import type { Faults, Provider } from './faults.ts';
import { openJournal } from './journal.ts';
import type { Journal } from './journal.ts';
import { createLedger } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { closeHttp, HOST, listen } from './listen.ts';
import { createInbox } from './mail/inbox.ts';
import type { Inbox } from './mail/inbox.ts';
import { createSmtpServer } from './mail/smtp.ts';
import { createPageRoutes } from './page-routes.ts';
import { createPayments } from './payments/payments.ts';
import type { WebhookTarget } from './payments/webhooks.ts';
import { createSms } from './sms/sms.ts';
import type { Texts } from './sms/texts.ts';
import { createStockRoutes, type WarehouseStock } from './warehouse/stock.ts';
import { createWarehouse } from './warehouse/warehouse.ts';

export interface SandboxOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly smtpPort?: number;
  /** The folder of the state; without it the state ends with the process. */
  readonly stateDir?: string;
  /** Where payment events are sent; none are sent without it. */
  readonly paymentsWebhook?: WebhookTarget;
  /** Standard Webhooks secret, `whsec_` and base64. */
  readonly warehouseCallbackSecret: string;
  readonly callbackDelayMs?: number;
  readonly retryDelaysMs?: readonly number[];
  /** The navigation of the pages; its own three unless given. */
  readonly links?: readonly Link[];
  /** Pages beside its own, at `/shop`. */
  readonly shop?: (core: Core & { readonly site: Site }) => Hono;
}

export interface Core {
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly ledgers: Readonly<Record<Provider, Ledger>>;
  readonly inbox: Inbox;
  readonly texts: Texts;
  readonly clock: SandboxClock;
  readonly warehouseStock: WarehouseStock;
  /** Changes where payment events are sent; for a shop whose address is known only later. */
  aimPaymentsWebhook(target: WebhookTarget | null): void;
  close(): Promise<void>;
}

export interface Sandbox extends Core {
  readonly url: string;
  readonly smtpPort: number;
}

const MAX_BODY_BYTES = 262_144;
/** Longer than clients keep an idle connection, so that none is closed under a request. */
const KEEP_ALIVE_MS = 75_000;
export const CALLBACK_DELAY_MS = 300;
const LINKS: readonly Link[] = [
  { href: '/', text: 'Sandbox' },
  { href: '/inbox', text: 'Inbox' },
  { href: '/sms', text: 'SMS' },
];

/** Listens, then reads the state. Rejects with EADDRINUSE or JournalError. */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  // Requests that arrive before the state is read wait for it.
  const handle = getRequestListener(async (request, env) => (await core).app.fetch(request, env));
  const http = createServer((incoming, outgoing) => void handle(incoming, outgoing));
  http.keepAliveTimeout = KEEP_ALIVE_MS;
  const smtp = createSmtpServer(() => core);
  const stopListening = () => Promise.all([closeHttp(http), smtp.close()]);
  // Listening comes first: a second process on the same ports must fail before it opens the state.
  const listening = listen(http, options.port ?? 0).then(async (port) => ({
    url: `http://${HOST}:${port}`,
    smtpPort: await smtp.listen(options.smtpPort ?? 0),
  }));
  const core = listening.then(({ url }) => openCore(options, url));
  try {
    const { app: _app, close, ...rest } = await core;
    return {
      ...(await listening),
      ...rest,
      close: async () => {
        await stopListening();
        await close();
      },
    };
  } catch (error) {
    await stopListening();
    throw error;
  }
}

function openCore(options: SandboxOptions, url: string): Core & { readonly app: Hono<SandboxEnv> } {
  const { stateDir, retryDelaysMs = RETRY_DELAYS_MS } = options;
  const open = (name: string): Journal =>
    openJournal(stateDir === undefined ? null : join(stateDir, `${name}.jsonl`));
  const journals = {
    control: open('control'),
    payments: open('payments'),
    warehouse: open('warehouse'),
    mail: open('mail'),
    sms: open('sms'),
  };
  const [clock, faults] = [createClock(journals.control), createFaults(journals.control)];
  const calls = createCallLog();
  const ledgers = {
    payments: createLedger(journals.payments, clock),
    warehouse: createLedger(journals.warehouse, clock),
    mail: createLedger(journals.mail, clock),
    sms: createLedger(journals.sms, clock),
  };
  const shared = { clock, faults, calls, retryDelaysMs };
  const payments = createPayments({
    ...shared,
    url,
    journal: journals.payments,
    ledger: ledgers.payments,
    target: options.paymentsWebhook ?? null,
  });
  const warehouse = createWarehouse({
    ...shared,
    journal: journals.warehouse,
    ledger: ledgers.warehouse,
    secret: options.warehouseCallbackSecret,
    callbackDelayMs: options.callbackDelayMs ?? CALLBACK_DELAY_MS,
  });
  const inbox = createInbox(journals.mail, clock, ledgers.mail);
  const sms = createSms({ ...shared, journal: journals.sms, ledger: ledgers.sms });
  const core = {
    faults,
    calls,
    ledgers,
    inbox,
    texts: sms.texts,
    clock,
    warehouseStock: warehouse.stock,
    aimPaymentsWebhook: payments.aim,
    close: async () => {
      await Promise.all([payments.close(), warehouse.close()]);
      for (const each of Object.values(journals)) each.close();
    },
  };
  return { ...core, app: routesOf(core, { payments, warehouse, sms }, options) };
}

/** The providers' APIs, the pages, and the control of both. */
function routesOf(
  core: Core,
  { payments, warehouse, sms }: Providers,
  options: SandboxOptions,
): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>()
    .use(bodyLimit({ maxSize: MAX_BODY_BYTES }))
    .route('/v1', payments.routes)
    .route('/warehouse/stock', createStockRoutes(warehouse.stock))
    .route('/payments', payments.control)
    .route('/warehouse', warehouse.routes)
    .route('/2010-04-01', sms.routes);
  const armed = () => core.faults.list().filter(({ times }) => times !== 0);
  const site = { name: 'Holdfast', links: options.links ?? LINKS, armed };
  if (options.shop !== undefined) app.route('/shop', options.shop({ ...core, site }));
  const { challenges, expire } = payments;
  const control = { ...core, challenges, onClockMoved: expire };
  app.route('/', createPageRoutes(control, site)).route('/', createControlRoutes(control));
  return app.route('/', createChallengeRoutes(challenges, site));
}

interface Providers {
  readonly payments: ReturnType<typeof createPayments>;
  readonly warehouse: ReturnType<typeof createWarehouse>;
  readonly sms: ReturnType<typeof createSms>;
}
