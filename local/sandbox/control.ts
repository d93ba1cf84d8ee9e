/** The sandbox's own API: faults, ledgers, inbox, text messages, clock. For tests and people, on loopback only. */
import { Hono } from 'hono';
import { z } from 'zod';
import { parseJson } from './calls.ts';
import type { SandboxEnv } from './calls.ts';
import type { SandboxClock } from './clock.ts';
import { MODES, OPERATIONS, PROVIDERS, faultSchema, isPlace } from './faults.ts';
import type { Faults, Provider } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Inbox } from './mail/inbox.ts';
import type { Challenges } from './payments/challenges.ts';
import type { Texts } from './sms/texts.ts';

export interface ControlDeps {
  readonly faults: Faults;
  readonly ledgers: Readonly<Record<Provider, Ledger>>;
  readonly inbox: Inbox;
  readonly texts: Texts;
  readonly clock: SandboxClock;
  readonly challenges: Challenges;
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
  app.get('/livez', (c) => c.json({ pid: process.pid }));
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

function addLedgers(app: Hono<SandboxEnv>, { ledgers, inbox, texts }: ControlDeps): void {
  app.get('/ledger/:provider', (c) => {
    const provider = PROVIDERS.find((each) => each === c.req.param('provider'));
    if (provider !== undefined) return c.json({ effects: ledgers[provider].effects() });
    return c.json({ error: { message: 'There is no such provider.', allowed: PROVIDERS } }, 404);
  });
  app.delete('/ledger', (c) => {
    for (const ledger of Object.values(ledgers)) ledger.clear();
    inbox.clear();
    texts.clear();
    return c.json({ effects: [], mails: [] });
  });
  app.get('/inbox', (c) => c.json({ mails: inbox.mails(c.req.query('to')) }));
  app.get('/sms', (c) => c.json({ texts: texts.sent(c.req.query('to')) }));
}

function addClock(app: Hono<SandboxEnv>, deps: ControlDeps): void {
  const { clock } = deps;
  const view = (): object => ({
    now: new Date(clock.now()).toISOString(),
    offset_ms: clock.offsetMs(),
  });
  app.get('/clock', (c) => c.json(view()));
  app.put('/clock', async (c) => {
    const message = moveClock(deps, parseJson(await c.req.text()));
    return message === null ? c.json(view()) : c.json({ error: { message } }, 400);
  });
}

/** Sets or advances the clock. Null, or what is wrong with the change. */
export function moveClock({ clock, onClockMoved }: ControlDeps, body: unknown): string | null {
  const change = clockSchema.safeParse(body);
  if (!change.success) return 'Give offset_ms or advance_ms, a whole number.';
  const { data } = change;
  const offsetMs = 'offset_ms' in data ? data.offset_ms : clock.offsetMs() + data.advance_ms;
  if (!shift.safeParse(offsetMs).success) return 'The clock moves by ten years at most.';
  clock.setOffset(offsetMs);
  onClockMoved();
  return null;
}
