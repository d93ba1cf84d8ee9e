/**
 * What the shopper does at the bank while the payment waits for them, and the time that is left. A real
 * storefront's page gives the client secret to the provider's script, which opens the bank's page; the
 * sandbox has that page, and says where.
 */
import { html } from 'hono/html';
import { z } from 'zod';
import type { Html } from '../web/page.ts';
import type { Order } from './api.ts';
import { statusOf, waitsForShopper } from './event-words.ts';
import type { Purchase } from './purchases.ts';

const actionSchema = z.object({
  next_action: z.object({ use_stripe_sdk: z.object({ stripe_js: z.url() }) }),
});

/** Where the bank asks; null: the shop does not know it (any more). */
function bankPageOf(purchase: Purchase | undefined): URL | null {
  const bodies = (purchase?.answers ?? []).filter(({ status }) => status === 202);
  const action = actionSchema.safeParse(bodies.at(-1)?.body);
  return action.success ? new URL(action.data.next_action.use_stripe_sdk.stripe_js) : null;
}

/** Empty unless the order waits for its shopper, whom the bank's page leads back to `origin`. */
export function bankPart(order: Order, purchase: Purchase | undefined, origin: string): Html {
  if (!waitsForShopper(statusOf(order))) return html``;
  const page = bankPageOf(purchase);
  const until = order.payment?.action_expires_at ?? null;
  return html`<article class="outcome wait">
    <h2>Confirm with your bank</h2>
    <p>
      The units are held for you, and nothing is charged yet.
      ${until !== null && html`Time left: ${clock(until)}.`}
    </p>
    <div class="actions">
      ${page !== null && links(page, new URL(`/shop/orders/${order.id}/confirm`, origin))}
      <form method="post" action="/shop/orders/${order.id}/confirm">
        <button class="secondary outline">I have confirmed</button>
      </form>
    </div>
    <p class="hint">
      Without coming back, the shop never hears from you: the provider’s webhook finishes the order,
      and this page shows it.
    </p>
  </article>`;
}

function links(page: URL, back: URL): Html {
  const returning = new URL(page);
  returning.searchParams.set('return_url', back.href);
  return html`<a role="button" href="${returning.href}">Go to your bank</a>
    <a role="button" class="outline" href="${page.href}" target="_blank" rel="noreferrer"
      >Go there without coming back</a
    >`;
}

/** `pages.js` counts down to it. */
function clock(until: string): Html {
  return html`<time role="timer" datetime="${until}" data-countdown
    >until ${until.slice(11, 19)} UTC</time
  >`;
}
