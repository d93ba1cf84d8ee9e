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
  requestLog,
  onError,
  type ApiEnv,
} from './middleware/request.ts';
import { conditionalRead } from './middleware/conditional-read.ts';
import { limitBody, normalizeContentType } from './middleware/request-body.ts';
import { holdToDocument } from './openapi/declared.ts';
import { createDocument } from './openapi/document.ts';
import { problemResponse } from './http/problems.ts';
import { callbackRoutes } from './routes/callbacks.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { docsRoutes } from './routes/docs.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { invariantRoutes } from './routes/invariants.ts';
import { orderReadRoutes } from './routes/order-reads.ts';
import { orderRoutes } from './routes/orders.ts';
import { productRoutes } from './routes/products.ts';
import { refundRoutes } from './routes/refunds.ts';
import { reconciliationRoutes } from './routes/reconciliations.ts';
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

/** The application of a worker process: health and metrics. */
export function createHealthApp(services: Services) {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(requestId(), correlation(), requestLog(services), secureHeaders());
  const routed = app.route('/', healthRoutes(services));
  handleNotFound(app, services);
  return routed;
}

export function createApp(services: Services) {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(requestId(), correlation(), requestLog(services), secureHeaders());
  const document = createDocument(app);
  app.use('/v1/*', authenticate(services), loadShedding(services), limitBody(), refuseUnstorable());
  app.use('/v1/*', normalizeContentType(), holdToDocument(document), conditionalRead());
  const routed = app
    .route('/', orderRoutes(services))
    .route('/', orderReadRoutes(services))
    .route('/', refundRoutes(services))
    .route('/', productRoutes(services))
    .route('/', stockRoutes(services))
    .route('/', eventRoutes(services))
    .route('/', webhookEndpointRoutes(services))
    .route('/', webhookDeliveryRoutes(services))
    .route('/', subscriptionRoutes(services))
    .route('/', deadLetterRoutes(services))
    .route('/', reconciliationRoutes(services))
    .route('/', invariantRoutes(services))
    .route('/', callbackRoutes(services))
    .route('/', healthRoutes(services))
    .route('/', docsRoutes());
  app.get('/openapi.json', (c) => c.json(document()));
  handleNotFound(app, services);
  return routed;
}

/** Handles errors, unknown paths, OPTIONS and wrong methods. Call it after the routes. */
function handleNotFound(app: OpenAPIHono<ApiEnv>, services: Services): void {
  app.onError(onError(services));
  const allowedMethods = createAllowedMethods(app.routes);
  app.notFound((c) => {
    const allowed = allowedMethods(c.req.path);
    if (allowed.length === 0) {
      const detail = 'No route has this path.';
      return problemResponse({ code: 'not_found', detail }, c.var.requestId);
    }
    const allow = allowed.join(', ');
    const headers = { allow };
    if (c.req.method === 'OPTIONS') return c.body(null, 204, headers);
    const detail = `Allowed methods: ${allow}.`;
    return problemResponse({ code: 'method_not_allowed', detail, headers }, c.var.requestId);
  });
}
