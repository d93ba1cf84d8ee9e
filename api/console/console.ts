/**
 * The console at /console: pages for operators, rendered here and served with a strict content
 * security policy. Everything it shows and does goes through the API's own routes (call-api.ts).
 */
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { csrf } from 'hono/csrf';
import { html } from 'hono/html';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Services } from '../context.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import { ProblemError, PROBLEMS } from '../http/problems.ts';
import { IDENTITY } from '../middleware/request.ts';
import { limitBody } from '../middleware/request-body.ts';
import { assetRoutes } from './assets.ts';
import { attentionPage } from './attention.ts';
import { endpointPage } from './endpoints.ts';
import { eventsPage } from './events.ts';
import { healthPage } from './health.ts';
import { homePage } from './home.ts';
import { createJobsPage } from './jobs.ts';
import { layout } from './layout.ts';
import { createOrderPage, liveRoutes } from './order.ts';
import { ordersPage } from './orders.ts';
import type { ConsoleContext, ConsoleEnv, ConsolePage, Html, Notice, View } from './page.ts';
import { findSession } from './session.ts';
import { signInRoutes } from './sign-in.ts';
import { productPage, stockPage } from './stock.ts';

function pagesOf({ temporalUi, timeZone }: Services): readonly ConsolePage[] {
  const order = createOrderPage(temporalUi);
  return [
    homePage,
    attentionPage,
    ordersPage,
    order,
    eventsPage,
    endpointPage,
    stockPage,
    productPage,
    createJobsPage(timeZone),
    healthPage,
  ];
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** The application that the calls go to: a view of the whole one, which this is a part of. */
interface Api {
  fetch(request: Request, env: ConsoleEnv['Bindings']): Response | Promise<Response>;
}

/** To be mounted at /console. */
export function consoleRoutes(services: Services, api: Api) {
  const app = new Hono<ConsoleEnv>();
  app.use(async (c, next) => {
    await next();
    c.header('content-security-policy', POLICY);
    if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store');
  });
  app.use(compress(), csrf(), limitBody());
  app.route('/', assetRoutes());
  app.route('/', signInRoutes(services));
  app.use(async (c, next) => {
    const apiKey = await findSession(c, services);
    if (apiKey === null) return askToSignIn(c);
    c.set('apiKey', apiKey);
    const env = { ...c.env, [IDENTITY]: apiKey };
    c.set('dispatch', async (request) => api.fetch(request, env));
    c.set('watched', services);
    await next();
  });
  app.route('/', liveRoutes());
  for (const page of pagesOf(services)) addPage(app, page);
  app.all('*', (c) => failed(c, 404, 'No page has this address.'));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return failed(c, 403, 'The form came from another site.');
    if (error instanceof ProblemError) {
      const { code, detail } = error.problem;
      return failed(c, PROBLEMS[code][0], detail);
    }
    if (isDatabaseUnavailable(error)) return failed(c, 503, 'The database is unavailable.');
    services.log.error({ err: error, request_id: c.var.requestId }, 'a console page failed');
    return failed(c, 500, `Internal error, request ${c.var.requestId}.`);
  });
  return app;
}

function addPage(app: Hono<ConsoleEnv>, page: ConsolePage): void {
  const show = async (c: ConsoleContext, notice: Notice | null) => {
    const shown = await page.view(c);
    const view: Content = isView(shown) ? shown : { title: page.title, main: shown };
    const outcome = notice?.tone === 'bad' ? 409 : 200;
    const status = view.problem === undefined ? outcome : PROBLEMS[view.problem][0];
    return c.html(frame(c, { ...view, notice }), status);
  };
  const path = page.path === '' ? '/' : page.path;
  app.get(path, async (c) => {
    const name = c.req.query('part');
    const part = name === undefined ? undefined : page.parts?.[name];
    return part === undefined ? show(c, null) : c.html(await part(c));
  });
  app.post(path, async (c) => {
    const fields = await c.req.parseBody();
    const text = (name: string): string => {
      const value = fields[name];
      return typeof value === 'string' ? value.trim() : '';
    };
    const name = text('action');
    const action =
      page.actions !== undefined && Object.hasOwn(page.actions, name)
        ? page.actions[name]
        : undefined;
    if (action === undefined) return failed(c, 404, 'The page has no such action.');
    return show(c, await action(c, { text, key: text('key') }));
  });
}

function isView(shown: Awaited<Html> | View): shown is View {
  return typeof shown === 'object' && 'main' in shown;
}

interface Content extends Partial<View> {
  readonly title: string;
  readonly notice?: Notice | null;
  readonly main: Html;
}

function frame(c: ConsoleContext, content: Content): Html {
  const path = c.req.path.replace(/^\/console\/?/, '/').replace(/^\/$/, '');
  return layout({ path, session: c.get('apiKey') ?? null, search: c.req.query('q'), ...content });
}

function failed(c: ConsoleContext, status: ContentfulStatusCode, text: string) {
  const main = html`<div class="box bad">${text}</div>`;
  if (c.req.query('part') !== undefined) return c.html(main, status);
  return c.html(frame(c, { title: 'Something is wrong', main }), status);
}

/** htmx would put the sign-in page into a part of this one. */
function askToSignIn(c: ConsoleContext) {
  const page = c.req.header('hx-current-url') ?? c.req.url;
  const { pathname, search } = new URL(URL.canParse(page, c.req.url) ? page : c.req.url, c.req.url);
  const to = `/console/sign-in?next=${encodeURIComponent(pathname + search)}`;
  if (c.req.header('hx-request') === undefined) return c.redirect(to, 303);
  return c.body(null, 401, { 'hx-redirect': to });
}
