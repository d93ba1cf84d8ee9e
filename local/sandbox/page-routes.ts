/**
 * The sandbox's pages and the forms on them. The JSON of the same paths is in control.ts: a client that
 * does not ask for HTML gets that.
 */
import { Hono, type Context } from 'hono';
import { accepts } from 'hono/accepts';
import { csrf } from 'hono/csrf';
import { z } from 'zod';
import { assetRoutes } from '../web/assets.ts';
import { respondPage, type Site } from '../web/page.ts';
import type { SandboxEnv } from './calls.ts';
import { moveClock, type ControlDeps } from './control.ts';
import { PROVIDERS, faultSchema, isPlace } from './faults.ts';
import { inboxPage } from './pages/inbox-page.ts';
import { indexPage } from './pages/index-page.ts';
import { ledgerPage } from './pages/ledger-page.ts';
import { smsPage } from './pages/sms-page.ts';

/** A mail's own styles, and nothing else: no script, no request, no form, also when opened alone. */
const MAIL_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; " +
  "base-uri 'none'; frame-ancestors 'self'; sandbox";

export function createPageRoutes(deps: ControlDeps, site: Site): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>();
  const { faults, ledgers, inbox, texts, clock, challenges } = deps;
  app.route('/assets', assetRoutes());
  app.get('/', (c) => {
    const { origin } = new URL(c.req.url);
    const time = { now: clock.now(), offsetMs: clock.offsetMs() };
    const waiting = challenges.waiting();
    const main = indexPage({ origin, faults: faults.list(), waiting, clock: time });
    return respondPage(c, site, { title: 'Sandbox', main });
  });
  app.get('/ledger/:provider', async (c, next) => {
    const provider = PROVIDERS.find((each) => each === c.req.param('provider'));
    if (provider === undefined || !wantsPage(c)) return next();
    const orderId = c.req.query('order') ?? '';
    const ledger = ledgers[provider];
    const effects = orderId === '' ? ledger.effects() : ledger.effectsOf(orderId);
    const main = ledgerPage(provider, effects, orderId);
    return respondPage(c, site, { title: `Ledger of ${provider}`, main });
  });
  app.get('/inbox', async (c, next) => {
    if (!wantsPage(c)) return next();
    const { to = '', order: orderId = '' } = c.req.query();
    const sent = inbox.mails(to === '' ? undefined : to);
    const about = new Set(orderId === '' ? sent : inbox.mailsOf(orderId));
    const found = sent.filter((mail) => about.has(mail));
    const page = pageSchema.parse(c.req.query('page'));
    return respondPage(c, site, {
      title: 'Inbox',
      main: inboxPage({ mails: found, to, orderId, page }),
    });
  });
  app.get('/sms', async (c, next) => {
    if (!wantsPage(c)) return next();
    const { to = '' } = c.req.query();
    const found = texts.sent(to === '' ? undefined : to);
    const page = pageSchema.parse(c.req.query('page'));
    return respondPage(c, site, { title: 'SMS', main: smsPage({ texts: found, to, page }) });
  });
  app.get('/inbox/html/:id', (c) => {
    const markup = inbox.find(c.req.param('id'))?.html;
    if (markup === undefined) return c.notFound();
    c.header('Content-Security-Policy', MAIL_POLICY);
    c.header('X-Content-Type-Options', 'nosniff');
    return c.html(markup);
  });
  addForms(app, deps);
  return app;
}

const pageSchema = z.coerce.number().int().min(1).max(10_000).catch(1);
const optionalNumber = z
  .literal('')
  .transform(() => undefined)
  .or(z.coerce.number());
const switchSchema = z.object({
  switch: z.enum(['on', 'off']),
  mode: faultSchema.shape.mode,
  times: optionalNumber.pipe(faultSchema.shape.times),
  latency_ms: optionalNumber.pipe(faultSchema.shape.latency_ms),
});

/** Each leads back to its page; a value that no form of ours sends changes nothing. */
function addForms(app: Hono<SandboxEnv>, deps: ControlDeps): void {
  const { faults } = deps;
  app.post('/faults', csrf(), async (c) => {
    const { back } = await c.req.parseBody();
    faults.clear();
    return c.redirect(ownPath(back), 303);
  });
  app.post('/faults/:provider/:operation', csrf(), async (c) => {
    const place = c.req.param();
    const form = switchSchema.safeParse(await c.req.parseBody());
    if (!isPlace(place) || !form.success) return c.redirect('/', 303);
    const { switch: state, ...spec } = form.data;
    if (state === 'on') faults.set(place, spec);
    else faults.remove(place);
    return c.redirect('/', 303);
  });
  app.post('/clock', csrf(), async (c) => {
    const form = Object.entries(await c.req.parseBody());
    moveClock(deps, Object.fromEntries(form.map(([name, value]) => [name, Number(value)])));
    return c.redirect('/', 303);
  });
}

/** A path of this origin; the first page for anything else. */
function ownPath(path: unknown): string {
  return typeof path === 'string' && /^\/(?![/\\])/.test(path) ? path : '/';
}

/** True for a browser; curl and programs get JSON. */
function wantsPage(c: Context): boolean {
  const supports = ['application/json', 'text/html'];
  const type = accepts(c, { header: 'Accept', supports, default: 'application/json' });
  return type === 'text/html';
}
