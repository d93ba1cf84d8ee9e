/** The parts of the OpenAPI document that no route declares. */

/** The package's own; a test compares the two. */
export const VERSION = '0.1.0';

export const INFO = {
  info: {
    title: 'Holdfast',
    version: VERSION,
    description:
      'A durable checkout. Amounts are in minor units. Every error is a problem (RFC 9457), and its ' +
      '`code` says what to do. A query parameter that an operation does not name is refused. Every ' +
      'request may carry `X-Correlation-Id`, which events and logs repeat, and `traceparent`.',
    contact: { name: 'Holdfast' },
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'The server of this document.' }],
  security: [{ apiKey: [] }],
};

export const TAGS = [
  { name: 'Orders', description: 'Place, read and cancel orders.' },
  { name: 'Refunds', description: 'Return captured money.' },
  { name: 'Customers', description: 'Register customers and keep their preferences.' },
  { name: 'Products', description: 'The catalog and its stock.' },
  { name: 'Events', description: 'The log of everything that happened to orders.' },
  { name: 'Webhooks', description: 'Endpoints that events are delivered to.' },
  { name: 'Subscriptions', description: 'The subscribers of the log, and how far they are.' },
  { name: 'Dead letters', description: 'Work that failed permanently, and decisions about it.' },
  { name: 'Persons', description: 'Erase or export everything held about a person.' },
  {
    name: 'Reports',
    description: 'Files of sales, stock, refunds and discrepancies, made in the background.',
  },
  { name: 'Imports', description: 'Products and stock from CSV files.' },
  { name: 'Bulk actions', description: 'Cancel, refund or redrive many items.' },
  { name: 'Reconciliations', description: "Comparisons of our records with the providers'." },
  { name: 'Schedules', description: 'Work that is done again and again.' },
  { name: 'Invariants', description: 'What must hold despite any failure.' },
];

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description: 'Roles: storefront, operator, admin. Each role includes the ones before it.',
  },
};

const header = (description: string, type = 'string') => ({ description, schema: { type } });

export const COMPONENT_HEADERS = {
  'X-Request-Id': header('Identifies the request in the log.'),
  'X-Correlation-Id': header('The one of the request, or the request id.'),
  'Retry-After': header('Seconds after which the same request may succeed.', 'integer'),
  'WWW-Authenticate': header(
    'The scheme of the API key (RFC 6750), and the role that a call requires as `scope`.',
  ),
  'Accept-Encoding': header('The content codings that a request body may have.'),
  Location: header('The path of what was created.'),
  ETag: header('The entity tag of the representation, for If-Match and If-None-Match.'),
  'Cache-Control': header('Whether and how long the response may be reused.'),
  'Cache-Status': header(
    'Whether the catalog came from the cache of the process (RFC 9211); `ttl` below zero: it is stale.',
  ),
  Age: header('Seconds since a stale response was true, because the database is away.', 'integer'),
  'Idempotent-Replayed': header('`true`: the stored response of an earlier request with the key.'),
  'Preference-Applied': header(
    'The applied preference, such as `wait=20` or `inspectable` (RFC 7240).',
  ),
};
