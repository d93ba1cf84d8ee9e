/** Lists and search over payments, in the shape of Stripe's API. Read only. */
import { ok } from '../calls.ts';
import type { ProviderResponse } from '../calls.ts';
import { invalid } from './errors.ts';
import type { Form } from './form.ts';
import { showIntent } from './records.ts';
import type { Intent } from './records.ts';

interface Row {
  readonly id: string;
  readonly created_at_ms: number;
}

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;
const CLAUSE = /^(status|metadata\[(["'])(.+?)\2\]):(["'])(.*)\4$/;

/** `created[gte]`, `created[lt]`, `limit` and `starting_after` over rows given newest first. */
export function listed<T extends Row>(
  rows: readonly T[],
  form: Form,
  page: { readonly url: string; readonly show: (row: T) => object },
): ProviderResponse {
  const limit = limitIn(form);
  if (typeof limit !== 'number') return limit;
  const after = form.text('starting_after');
  const start = after === null ? 0 : rows.findIndex((row) => row.id === after) + 1;
  if (after !== null && start === 0) return invalid('starting_after', `No such object: '${after}'`);
  const matching = rows.slice(start).filter((row) => createdMatches(row, form));
  const data = matching.slice(0, limit).map(page.show);
  return ok({ object: 'list', url: page.url, has_more: matching.length > limit, data });
}

/**
 * `metadata['order_id']:'...'` and `status:'...'`, joined by AND
 * (https://docs.stripe.com/search#search-query-language). Unlike Stripe's, it never lags.
 */
export function searched(intents: readonly Intent[], form: Form): ProviderResponse {
  const limit = limitIn(form);
  if (typeof limit !== 'number') return limit;
  const clauses = (form.text('query') ?? '').split(' AND ').map((text) => CLAUSE.exec(text.trim()));
  if (clauses.some((clause) => clause === null)) {
    return invalid(
      'query',
      "Only metadata['...']:'...' and status:'...' joined by AND are supported.",
    );
  }
  const matching = intents.filter((intent) =>
    clauses.every((clause) => {
      const value = clause?.[3] === undefined ? intent.status : intent.metadata[clause[3]];
      return value === clause?.[5];
    }),
  );
  return ok({
    object: 'search_result',
    url: '/v1/payment_intents/search',
    has_more: matching.length > limit,
    next_page: null,
    data: matching.slice(0, limit).map((intent) => showIntent(intent, listExpand(form))),
  });
}

/** `expand[]=data.latest_charge` of a list, as the field of one row. */
export function listExpand(form: Form): string[] {
  return form.list('expand').map((path) => path.replace(/^data\./, ''));
}

function limitIn(form: Form): number | ProviderResponse {
  const limit = Number(form.text('limit') ?? DEFAULT_LIMIT);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  return invalid('limit', `The limit is a whole number from 1 to ${MAX_LIMIT}.`);
}

function createdMatches(row: Row, form: Form): boolean {
  const created = Math.floor(row.created_at_ms / 1000);
  const from = Number(form.text('created[gte]') ?? -Infinity);
  const before = Number(form.text('created[lt]') ?? Infinity);
  return created >= from && created < before;
}
