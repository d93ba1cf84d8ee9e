/** Pages of Stripe's lists and searches (https://docs.stripe.com/api/pagination). */
import { z } from 'zod';
import { isForeignId } from '../../domain/text.ts';
import { NotUnderstood } from '../resilience/faults.ts';
import type { ListWindow } from '../payments.ts';

/** Stripe's largest page. */
export const PAGE_SIZE = 100;

export interface StripePage<Listed> {
  readonly records: readonly Listed[];
  /** For `starting_after`; null on the last page. */
  readonly next: string | null;
}

/** Throws NotUnderstood when what the package got is no page. */
export function readPage<Listed>(page: { readonly data: readonly Listed[] }): StripePage<Listed> {
  const result = readable.safeParse(page);
  if (!result.success) throw new NotUnderstood('list_not_understood');
  const { data, has_more: hasMore } = result.data;
  const records = page.data;
  const last = data.at(-1);
  if (!hasMore || last === undefined) return { records, next: null };
  if (!isForeignId(last.id)) throw new NotUnderstood('list_not_understood');
  return { records, next: last.id };
}

const readable = z.object({
  data: z.array(z.looseObject({ id: z.unknown() })),
  has_more: z.boolean(),
});

/** The parameters of a list of what was created in the window. */
export function paramsOf({ from, to, after }: ListWindow) {
  const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
  return {
    created: { gte: seconds(from), lt: seconds(to) },
    limit: PAGE_SIZE,
    ...(after !== null && { starting_after: after }),
  };
}
