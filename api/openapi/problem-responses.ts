/** The problems of an operation as OpenAPI responses: one per status, with a schema per code. */
import { CANCEL_REFUSALS } from '../../domain/cancel-refusal.ts';
import { PROBLEMS, type ProblemCode } from '../http/problems.ts';

type Schema = Readonly<Record<string, unknown>>;

const TEXT = { type: 'string' };
const COUNT = { type: 'integer' };

/** The members of a problem beyond those of every problem. */
const MEMBERS: Readonly<Partial<Record<ProblemCode, Readonly<Record<string, Schema>>>>> = {
  payment_declined: { decline_code: TEXT },
  payment_refused: { provider_code: TEXT },
  out_of_stock: {
    retryable: { type: 'boolean' },
    lines: {
      type: 'array',
      items: {
        type: 'object',
        required: ['sku', 'requested', 'available', 'cause'],
        properties: {
          sku: TEXT,
          requested: COUNT,
          available: COUNT,
          cause: { type: 'string', enum: ['gone', 'held'] },
        },
      },
    },
  },
  price_changed: { total_minor: COUNT, expected_total_minor: COUNT },
  credit_insufficient: { available_minor: COUNT, requested_minor: COUNT, currency: TEXT },
  order_expired: { order_id: TEXT },
  not_cancellable: { reason: { type: 'string', enum: Object.keys(CANCEL_REFUSALS) } },
  not_refundable: { reason: TEXT },
  refund_exceeds_captured: { refundable_minor: COUNT, currency: TEXT },
  stock_not_available: { stock: { $ref: '#/components/schemas/Stock' } },
  orders_under_way: { order_ids: { type: 'array', items: TEXT }, erased_orders: COUNT },
  dead_letter_not_open: { dead_letter_status: TEXT },
};

/** The headers of every problem with a status. */
const HEADERS: Readonly<Record<number, readonly string[]>> = {
  401: ['WWW-Authenticate'],
  403: ['WWW-Authenticate'],
  409: ['Retry-After'],
  415: ['Accept-Encoding'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

/** The codes by status, each group in the order of the table of problems. */
export function byStatus(codes: ReadonlySet<ProblemCode>): ReadonlyMap<number, ProblemCode[]> {
  const groups = new Map<number, ProblemCode[]>();
  for (const code of problemCodes()) {
    const [status] = PROBLEMS[code];
    if (codes.has(code)) groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

/** The name of the response component of codes with one status: `RequestInFlightOrOutOfStock`. */
export function responseName(codes: readonly ProblemCode[]): string {
  return codes.map(pascalCase).join('Or');
}

export function problemResponse(status: number, codes: readonly ProblemCode[]) {
  const schemas = codes.map((code) => ({ $ref: `#/components/schemas/${schemaName(code)}` }));
  const [only] = schemas.length === 1 ? schemas : [];
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('\n\n'),
    headers: headerReferences(...(HEADERS[status] ?? [])),
    content: { 'application/problem+json': { schema: only ?? { oneOf: schemas } } },
  };
}

/** The schemas of the problems, by the names of their components. */
export function problemSchemas(codes: ReadonlySet<ProblemCode>): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    [...codes].map((code) => {
      const [status, title] = PROBLEMS[code];
      const members = MEMBERS[code] ?? {};
      const own = {
        type: 'object',
        required: ['code', ...Object.keys(members)],
        properties: { code: { const: code }, status: { const: status }, ...members },
      };
      const allOf = [{ $ref: '#/components/schemas/Problem' }, own];
      return [schemaName(code), { description: title, allOf }];
    }),
  );
}

/** Headers of a response, described once in the components. */
export function headerReferences(...names: readonly string[]): Readonly<Record<string, Schema>> {
  const all = [...names, 'X-Request-Id', 'X-Correlation-Id'];
  return Object.fromEntries(all.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code);
}

function problemCodes(): readonly ProblemCode[] {
  return Object.keys(PROBLEMS).filter(isProblemCode);
}

function schemaName(code: ProblemCode): string {
  return `${pascalCase(code)}Problem`;
}

function pascalCase(code: ProblemCode): string {
  return code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
