/** Signing in by an API key, and out. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { Services } from '../context.ts';
import { layout } from './layout.ts';
import type { ConsoleContext, ConsoleEnv, Html } from './page.ts';
import { endSession, startSession } from './session.ts';

/** Put it before the pages, which need a session. */
export function signInRoutes(services: Services) {
  const show = (c: ConsoleContext, status: 200 | 401 | 403 | 503, problem: Html | null) =>
    c.html(signInPage(services, nextPath(c.req.query('next')), problem), status);
  return new Hono<ConsoleEnv>()
    .get('/sign-in', (c) => show(c, 200, null))
    .post('/sign-in', async (c) => {
      const { key } = await c.req.parseBody();
      const found = typeof key === 'string' ? await services.apiKeys.find(key.trim()) : null;
      if (found === 'busy') {
        c.header('retry-after', '1');
        return show(c, 503, html`Too many unknown keys are being checked. Try again in a second.`);
      }
      if (found === null) return show(c, 401, unknownKey());
      c.set('apiKey', found);
      if (found.role === 'storefront') {
        return show(c, 403, html`This key has the role storefront. Use one of an operator.`);
      }
      await startSession(c, services, found);
      return c.redirect(nextPath(c.req.query('next')), 303);
    })
    .post('/sign-out', (c) => {
      endSession(c, services);
      return c.redirect('/console/sign-in', 303);
    });
}

function unknownKey(): Html {
  return html`No active API key is like this. Paste a whole key of an operator or administrator;
    <code>npm run keys -- add --role operator --name …</code> creates one.`;
}

/** A page of the console and nothing else: the address comes from a link. */
function nextPath(next: string | undefined): string {
  return next !== undefined && /^\/console(?:[/?][\w/?&=.,:%+-]*)?$/.test(next) ? next : '/console';
}

function signInPage({ production }: Services, next: string, problem: Html | null): Html {
  const hint = production
    ? ''
    : html`<p class="muted">
        The local stack has <code>hf_local_operator</code> and <code>hf_local_admin</code>.
      </p>`;
  const notice = problem === null ? null : { tone: 'bad' as const, text: problem };
  const main = html`<form
      class="sign-in"
      method="post"
      action="/console/sign-in?next=${encodeURIComponent(next)}"
    >
      <label>
        API key of an operator or administrator
        <input
          type="password"
          name="key"
          required
          autofocus
          autocomplete="current-password"
          spellcheck="false"
          maxlength="200"
        />
      </label>
      <button>Sign in</button>
    </form>
    ${hint}
    <p class="muted">
      Signed in already, and here by a link from another site? <a href="${next}">Continue</a>
    </p>`;
  return layout({ title: 'Sign in', path: '/sign-in', session: null, notice, main });
}
