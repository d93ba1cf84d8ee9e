/** The sandbox's own API: faults, ledgers, inbox, clock. For tests and people, on loopback only. */
import { Hono } from 'hono';
import { accepts } from 'hono/accepts';
import { z } from 'zod';
import { parseJson } from './calls.ts';
import type { SandboxEnv } from './calls.ts';
import type { SandboxClock } from './clock.ts';
import { MODES, OPERATIONS, PROVIDERS, faultSchema, isPlace } from './faults.ts';
import type { Faults, Provider } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Inbox } from './mail/inbox.ts';
import { inboxPage, indexPage, PAGE_POLICY } from './pages.ts';

export interface ControlDeps {
  readonly faults: Faults;
  readonly ledgers: Readonly<Record<Provider, Ledger>>;
  readonly inbox: Inbox;
  readonly clock: SandboxClock;
  /** Called after the clock was moved, so that what is due expires at once. */
  readonly onClockMoved: () => void;
}

const MAX_OFFSET_MS = 10 * 365 * 24 * 60 * 60 * 1000;
const shift = z.int().min(-MAX_OFFSET_MS).max(MAX_OFFSET_MS);
const clockSchema = z.union([
  z.strictObject({ offset_ms: shift }),
  z.strictObject({ advance_ms: shift }),
]);

export function createControlRoutes(deps: ControlDeps): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>();
  app.get('/', (c) => {
    c.header('Content-Security-Policy', PAGE_POLICY);
    return c.html(indexPage(new URL(c.req.url).origin, deps.faults.list()));
  });
  addFaults(app, deps);
  addLedgers(app, deps);
  addClock(app, deps);
  return app;
}

function addFaults(app: Hono<SandboxEnv>, { faults }: ControlDeps): void {
  app.get('/faults', (c) => c.json({ faults: faults.list() }));
  app.delete('/faults', (c) => {
    faults.clear();
    return c.json({ faults: [] });
  });
  app.put('/faults/:provider/:operation', async (c) => {
    const place = c.req.param();
    if (!isPlace(place)) {
      const message = `There is no ${place.provider}/${place.operation}.`;
      return c.json({ error: { message, allowed: OPERATIONS } }, 400);
    }
    const spec = faultSchema.safeParse(parseJson(await c.req.text()));
    if (!spec.success) {
      const allowed = { mode: MODES, rate: '0..1', times: '>= 0', latency_ms: '0..120000' };
      return c.json({ error: { message: z.prettifyError(spec.error), allowed } }, 400);
    }
    return c.json(faults.set(place, spec.data));
  });
}

function addLedgers(app: Hono<SandboxEnv>, { ledgers, inbox }: ControlDeps): void {
  app.get('/ledger/:provider', (c) => {
    const provider = PROVIDERS.find((each) => each === c.req.param('provider'));
    if (provider !== undefined) return c.json({ effects: ledgers[provider].effects() });
    return c.json({ error: { message: 'There is no such provider.', allowed: PROVIDERS } }, 404);
  });
  app.delete('/ledger', (c) => {
    for (const ledger of Object.values(ledgers)) ledger.clear();
    inbox.clear();
    return c.json({ effects: [], mails: [] });
  });
  app.get('/inbox', (c) => {
    const mails = inbox.mails(c.req.query('to'));
    const supports = ['application/json', 'text/html'];
    const type = accepts(c, { header: 'Accept', supports, default: 'application/json' });
    if (type !== 'text/html') return c.json({ mails });
    c.header('Content-Security-Policy', PAGE_POLICY);
    return c.html(inboxPage(mails));
  });
}

function addClock(app: Hono<SandboxEnv>, { clock, onClockMoved }: ControlDeps): void {
  const view = (): object => ({
    now: new Date(clock.now()).toISOString(),
    offset_ms: clock.offsetMs(),
  });
  app.get('/clock', (c) => c.json(view()));
  app.put('/clock', async (c) => {
    const change = clockSchema.safeParse(parseJson(await c.req.text()));
    if (!change.success) {
      return c.json({ error: { message: 'Give offset_ms or advance_ms, a whole number.' } }, 400);
    }
    const { data } = change;
    const offsetMs = 'offset_ms' in data ? data.offset_ms : clock.offsetMs() + data.advance_ms;
    if (!shift.safeParse(offsetMs).success) {
      return c.json({ error: { message: 'The clock moves by ten years at most.' } }, 400);
    }
    clock.setOffset(offsetMs);
    onClockMoved();
    return c.json(view());
  });
}
