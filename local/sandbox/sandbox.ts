/**
 * The providers' stand-in: payments, warehouse and mail over real HTTP and SMTP, with their own
 * state. It is someone else's system: it shares no code with the shop and never sees its database.
 */
import { join } from 'node:path';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { SandboxEnv } from './calls.ts';
import { createClock } from './clock.ts';
import type { SandboxClock } from './clock.ts';
import { createControlRoutes } from './control.ts';
import { RETRY_DELAYS_MS } from './deliveries.ts';
import { createFaults } from './faults.ts';
import type { Faults, Provider } from './faults.ts';
import { openHttp } from './http.ts';
import type { Handler } from './http.ts';
import { openJournal } from './journal.ts';
import type { Journal } from './journal.ts';
import { createLedger } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { createInbox } from './mail/inbox.ts';
import type { Inbox } from './mail/inbox.ts';
import { openSmtp } from './mail/smtp.ts';
import type { Books } from './mail/smtp.ts';
import { createPayments } from './payments/payments.ts';
import type { WebhookTarget } from './payments/webhooks.ts';
import { createWarehouse } from './warehouse/warehouse.ts';

export interface SandboxOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly smtpPort?: number;
  /** Where the state lies; without it the state ends with the process. */
  readonly stateDir?: string;
  /** Where payment events go; none are sent without it. */
  readonly paymentsWebhook?: WebhookTarget;
  /** Standard Webhooks secret, `whsec_` and base64. */
  readonly warehouseCallbackSecret: string;
  readonly callbackDelayMs?: number;
  readonly retryDelaysMs?: readonly number[];
}

export interface Sandbox {
  readonly url: string;
  readonly smtpPort: number;
  readonly faults: Faults;
  readonly ledgers: Readonly<Record<Provider, Ledger>>;
  readonly inbox: Inbox;
  readonly clock: SandboxClock;
  /** Where payment events go from now on; for a shop whose address is known only later. */
  aimPaymentsWebhook(target: WebhookTarget | null): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const MAX_BODY_BYTES = 262_144;
export const CALLBACK_DELAY_MS = 300;

/** Opens both doors, then reads the state. Rejects with EADDRINUSE or JournalError. */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const handler = promised<Awaited<Handler>>();
  const books = promised<Awaited<Books>>();
  // The doors first: a second process on the same ports must fail before it touches the state.
  const doors: { close(): Promise<void> }[] = [];
  try {
    const http = await openHttp({ host: HOST, port: options.port ?? 0 }, handler.promise);
    doors.push(http);
    const smtp = await openSmtp({ host: HOST, port: options.smtpPort ?? 0 }, books.promise);
    doors.push(smtp);
    const rooms = openRooms(options);
    handler.resolve((request, env) => rooms.app.fetch(request, env));
    books.resolve(rooms);
    return {
      url: `http://${HOST}:${http.port}`,
      smtpPort: smtp.port,
      faults: rooms.faults,
      ledgers: rooms.ledgers,
      inbox: rooms.inbox,
      clock: rooms.clock,
      aimPaymentsWebhook: rooms.aimPaymentsWebhook,
      close: async () => {
        await Promise.all(doors.map((door) => door.close()));
        await rooms.close();
      },
    };
  } catch (error) {
    await Promise.all(doors.map((door) => door.close()));
    throw error;
  }
}

type Rooms = Omit<Sandbox, 'url' | 'smtpPort'> & { readonly app: Hono<SandboxEnv> };

function openRooms(options: SandboxOptions): Rooms {
  const journals: Journal[] = [];
  const journal = (name: string): Journal => {
    const { stateDir } = options;
    const opened = openJournal(stateDir === undefined ? null : join(stateDir, `${name}.jsonl`));
    journals.push(opened);
    return opened;
  };
  const [control, money, goods, post] = ['control', 'payments', 'warehouse', 'mail'].map(journal);
  if (!control || !money || !goods || !post) throw new Error('a journal is missing');
  const clock = createClock(control);
  const faults = createFaults(control);
  const retryDelaysMs = options.retryDelaysMs ?? RETRY_DELAYS_MS;
  const ledgers = {
    payments: createLedger(money, clock),
    warehouse: createLedger(goods, clock),
    mail: createLedger(post, clock),
  };
  const common = { clock, faults, retryDelaysMs };
  const payments = createPayments({
    ...common,
    journal: money,
    ledger: ledgers.payments,
    target: options.paymentsWebhook ?? null,
  });
  const warehouse = createWarehouse({
    ...common,
    journal: goods,
    ledger: ledgers.warehouse,
    secret: options.warehouseCallbackSecret,
    callbackDelayMs: options.callbackDelayMs ?? CALLBACK_DELAY_MS,
  });
  const inbox = createInbox(post, clock, ledgers.mail);
  const app = new Hono<SandboxEnv>();
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES }));
  app.route('/v1', payments.routes);
  app.route('/warehouse', warehouse.routes);
  const onClockMoved = payments.expire;
  app.route('/', createControlRoutes({ faults, ledgers, inbox, clock, onClockMoved }));
  return {
    app,
    faults,
    ledgers,
    inbox,
    clock,
    aimPaymentsWebhook: payments.aim,
    close: async () => {
      await Promise.all([payments.close(), warehouse.close()]);
      for (const each of journals) each.close();
    },
  };
}

function promised<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
