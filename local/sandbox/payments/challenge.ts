/**
 * What settles a payment that waits for its shopper: the page with its form, and the same as JSON. Both
 * are one call at the provider, so the fault of `payments/challenge` meets either.
 */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { csrf } from 'hono/csrf';
import { z } from 'zod';
import { respondMissing, respondPage, type Site } from '../../web/page.ts';
import { attempt, parseJson } from '../calls.ts';
import type { ProviderContext, SandboxContext, SandboxEnv } from '../calls.ts';
import { challengePage } from '../pages/challenge-page.ts';
import type { Authentication } from './authorize.ts';
import type { IntentStore } from './intents.ts';
import { orderOf } from './records.ts';

export interface ChallengeDeps {
  readonly context: ProviderContext;
  readonly intents: IntentStore;
  readonly site: Site;
}

const outcomeSchema = z.object({ outcome: z.enum(['authenticated', 'failed']) });
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** Where a shopper may be sent back to: this machine only. */
const returnUrlSchema = z.url({ protocol: /^https?$/, hostname: LOOPBACK }).optional();
const formSchema = outcomeSchema.extend({ return_url: returnUrlSchema });

export function createChallengeRoutes(deps: ChallengeDeps): Hono<SandboxEnv> {
  const app = new Hono<SandboxEnv>();
  app.post('/payments/intents/:id/challenge', async (c) => {
    const body = outcomeSchema.safeParse(parseJson(await c.req.text()));
    if (body.success) return settle(c, deps, body.data.outcome);
    return c.json({ error: { message: 'Give outcome: authenticated or failed.' } }, 400);
  });
  app.get('/challenge/:id', (c) => show(c, deps, { returnTo: c.req.query('return_url') }));
  app.post('/challenge/:id', csrf(), async (c) => {
    const form = await c.req.parseBody();
    const { return_url: returnTo } = form;
    const parsed = formSchema.safeParse(form);
    if (!parsed.success) return show(c, deps, { returnTo });
    const { outcome, return_url: returnUrl } = parsed.data;
    const response = await settle(c, deps, outcome);
    if (response === RESPONSE_ALREADY_SENT) return response;
    if (response.ok && returnUrl !== undefined) return c.redirect(returnUrl, 303);
    return show(c, deps, { returnTo, failed: !response.ok });
  });
  return app;
}

/** A refusal by fault is one by the bank: the authentication fails. */
function settle(
  c: SandboxContext,
  { context, intents }: ChallengeDeps,
  outcome: Authentication,
): Promise<Response> {
  const id = c.req.param('id') ?? '';
  const intent = intents.find(id);
  return attempt(c, context, {
    operation: 'challenge',
    key: null,
    fingerprint: '',
    orderId: intent === undefined ? null : orderOf(intent),
    run: (refused) => intents.authenticate(id, refused ? 'failed' : outcome),
  });
}

function show(
  c: SandboxContext,
  { intents, site }: ChallengeDeps,
  { returnTo, failed = false }: { readonly returnTo: unknown; readonly failed?: boolean },
): Response | Promise<Response> {
  const intent = intents.find(c.req.param('id') ?? '');
  if (intent === undefined) return respondMissing(c, site);
  const returnUrl = returnUrlSchema.safeParse(returnTo);
  if (!returnUrl.success) return c.text('return_url must be a URL of this machine.', 400);
  return respondPage(c, site, {
    title: 'Confirm the payment',
    main: challengePage({ intent, returnUrl: returnUrl.data ?? null, failed }),
    ...(returnUrl.data !== undefined && { formTarget: new URL(returnUrl.data).origin }),
  });
}
