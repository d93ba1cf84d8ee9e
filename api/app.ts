/** The HTTP application: middleware, then routes. It does not listen, and takes its dependencies. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { loadShedding } from './middleware/load-shedding.ts';
import { refuseUnstorable } from './middleware/storable.ts';
import { createAllowedMethods } from './http/allowed-methods.ts';
import {
  authenticate,
  correlation,
  isOfConsole,
  requestLog,
  onError,
  type ApiEnv,
} from './middleware/request.ts';
import { consoleRoutes } from './console/console.ts';
import { conditionalRead } from './middleware/conditional-read.ts';
import { limitBody, normalizeContentType } from './middleware/request-body.ts';
import { holdToDocument } from './openapi/declared.ts';
import { createDocument } from './openapi/document.ts';
import { ProblemError, problemResponse, type Problem } from './http/problems.ts';
import { analyticsRoutes } from './routes/analytics.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { callbackRoutes } from './routes/callbacks.ts';
import { creditRoutes } from './routes/credit.ts';
import { customerRoutes } from './routes/customers.ts';
import { downloadRoutes } from './routes/downloads.ts';
import { deadLetterGroupRoutes } from './routes/dead-letter-groups.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { docsRoutes } from './routes/docs.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { importRoutes } from './routes/imports.ts';
import { invariantRoutes } from './routes/invariants.ts';
import { orderReadRoutes } from './routes/order-reads.ts';
import { orderRoutes } from './routes/orders.ts';
import { personRoutes } from './routes/persons.ts';
import { productRoutes } from './routes/products.ts';
import { quoteRoutes } from './routes/quotes.ts';
import { refundRoutes } from './routes/refunds.ts';
import { reconciliationRoutes } from './routes/reconciliations.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { reportRoutes } from './routes/reports.ts';
import { stockRoutes } from './routes/stock.ts';
import { subscriptionRoutes } from './routes/subscriptions.ts';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';
import { webhookEndpointRoutes } from './routes/webhook-endpoints.ts';
import type { Services } from './context.ts';

/**
 * The type of the application, for a typed client (`hc<App>` of hono/client).
 * @public
 */
export type App = ReturnType<typeof createApp>;

/** For operators and developers, not for the public. */
const OPERATIONS_PATHS = [
  '/',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/:file',
  '/docs/assets/*',
];
/** Every problem links to the first, which needs the others. */
const PUBLIC_PATHS: readonly string[] = [
  '/docs/errors',
  '/docs/pages.css',
  '/docs/assets/pico.css',
  '/docs/assets/favicon-32x32.png',
];

/** The application of a worker process: health and, with `operations`, metrics. */
export function createHealthApp(services: Services, operations = true) {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(requestId(), correlation(), requestLog(services), secureHeaders());
  if (!operations) hideOperations(app);
  const routed = app.route('/', healthRoutes(services, operations));
  handleNotFound(app, services);
  return routed;
}

/** `operations`: also serves metrics, details of readiness, and the API reference, without a key. */
export function createApp(services: Services, operations = true) {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(requestId(), correlation(), requestLog(services), secureHeaders());
  if (!operations) hideOperations(app);
  const document = createDocument(app);
  app.use('/v1/*', authenticate(services), loadShedding(services), limitBody(), refuseUnstorable());
  app.use('/v1/*', normalizeContentType(), conditionalRead(), holdToDocument(document));
  const routed = app
    .route('/', quoteRoutes(services))
    .route('/', orderRoutes(services))
    .route('/', orderReadRoutes(services))
    .route('/', refundRoutes(services))
    .route('/', customerRoutes(services))
    .route('/', creditRoutes(services))
    .route('/', productRoutes(services))
    .route('/', stockRoutes(services))
    .route('/', analyticsRoutes(services))
    .route('/', eventRoutes(services))
    .route('/', webhookEndpointRoutes(services))
    .route('/', webhookDeliveryRoutes(services))
    .route('/', subscriptionRoutes(services))
    .route('/', deadLetterGroupRoutes(services))
    .route('/', deadLetterRoutes(services))
    .route('/', reconciliationRoutes(services))
    .route('/', scheduleRoutes(services))
    .route('/', reportRoutes(services))
    .route('/', importRoutes(services))
    .route('/', bulkRoutes(services))
    .route('/', downloadRoutes(services))
    .route('/', personRoutes(services))
    .route('/', invariantRoutes(services))
    .route('/', callbackRoutes(services))
    .route('/', healthRoutes(services, operations))
    .route('/', docsRoutes(services));
  app.get('/openapi.json', (c) => c.json(document()));
  if (services.console) app.route('/console', consoleRoutes(services, app));
  handleNotFound(app, services);
  return routed;
}

/** Responds as if these paths did not exist. Call it before the routes. */
function hideOperations(app: OpenAPIHono<ApiEnv>): void {
  for (const path of OPERATIONS_PATHS) {
    app.use(path, async (c, next) => {
      if (!PUBLIC_PATHS.includes(c.req.path) && !isOfConsole(c)) throw new ProblemError(notFound());
      await next();
    });
  }
}

function notFound(): Problem {
  return { code: 'not_found', detail: 'No route has this path.' };
}

/** Handles errors, unknown paths, OPTIONS and wrong methods. Call it after the routes. */
function handleNotFound(app: OpenAPIHono<ApiEnv>, services: Services): void {
  app.onError(onError(services));
  const allowedMethods = createAllowedMethods(app.routes);
  app.notFound((c) => {
    const allowed = allowedMethods(c.req.path);
    if (allowed.length === 0) {
      return problemResponse(notFound(), c.var.requestId);
    }
    const allow = allowed.join(', ');
    const headers = { allow };
    if (c.req.method === 'OPTIONS') return c.body(null, 204, headers);
    const detail = `Allowed methods: ${allow}.`;
    return problemResponse({ code: 'method_not_allowed', detail, headers }, c.var.requestId);
  });
}
