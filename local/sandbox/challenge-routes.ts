/**
 * What settles a payment that waits for its shopper: the page with its form, and the same as JSON. Both
 * are one call at the provider, so the fault of `payments/challenge` meets either.
 */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { csrf } from 'hono/csrf';
import { z } from 'zod';
import { respondMissing, respondPage, type Site } from '../web/page.ts';
import { parseJson } from './calls.ts';
import type { SandboxContext, SandboxEnv } from './calls.ts';
import { challengePage } from './pages/challenge-page.ts';
import type { Challenges } from './payments/challenges.ts';
import { orderOf } from './payments/records.ts';

const outcomeSchema = z.object({ outcome: z.enum(['authenticated', 'failed']) });
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** Where a shopper may be sent back to: this machine only. */
const returnUrlSchema = z.url({ protocol: /^https?$/, hostname: LOOPBACK }).optional();
const formSchema = outcomeSchema.extend({ return_url: returnUrlSchema });

export function createChallengeRoutes(challenges: Challenges, site: Site): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>();
  const show = (c: SandboxContext, state: PageState) => showPage(c, site, { ...state, challenges });
  // For the audit: each of them can still be authorized.
  app.get('/payments/challenges', (c) => {
    const waiting = challenges.waiting();
    return c.json({
      challenges: waiting.map((each) => ({ id: each.id, order_id: orderOf(each) })),
    });
  });
  app.post('/payments/intents/:id/challenge', async (c) => {
    const body = outcomeSchema.safeParse(parseJson(await c.req.text()));
    if (body.success) return challenges.settle(c, c.req.param('id'), body.data.outcome);
    return c.json({ error: { message: 'Give outcome: authenticated or failed.' } }, 400);
  });
  app.get('/challenge/:id', (c) => show(c, { returnTo: c.req.query('return_url') }));
  app.post('/challenge/:id', csrf(), async (c) => {
    const form = await c.req.parseBody();
    const { return_url: returnTo } = form;
    const parsed = formSchema.safeParse(form);
    if (!parsed.success) return show(c, { returnTo });
    const { outcome, return_url: returnUrl } = parsed.data;
    const response = await challenges.settle(c, c.req.param('id'), outcome);
    if (response === RESPONSE_ALREADY_SENT) return response;
    if (response.ok && returnUrl !== undefined) return c.redirect(returnUrl, 303);
    return show(c, { returnTo, failed: !response.ok });
  });
  return app;
}

interface PageState {
  readonly returnTo: unknown;
  /** True when the last try reached no decision. */
  readonly failed?: boolean;
}

function showPage(
  c: SandboxContext,
  site: Site,
  { challenges, returnTo, failed = false }: PageState & { readonly challenges: Challenges },
): Response | Promise<Response> {
  const intent = challenges.find(c.req.param('id') ?? '');
  if (intent === undefined) return respondMissing(c, site);
  const returnUrl = returnUrlSchema.safeParse(returnTo);
  if (!returnUrl.success) return c.text('return_url must be a URL of this machine.', 400);
  return respondPage(c, site, {
    title: 'Confirm the payment',
    main: challengePage({ intent, returnUrl: returnUrl.data ?? null, failed }),
    ...(returnUrl.data !== undefined && { formTarget: new URL(returnUrl.data).origin }),
  });
}
