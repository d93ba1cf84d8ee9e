/** Webhook endpoints as an operator calls them, and one that is added by such a call. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Shop } from '../support/shop.ts';

export const PATH = '/v1/webhook-endpoints';

export const endpoint = z.looseObject({
  id: z.string(),
  url: z.string(),
  types: z.array(z.string()),
  status: z.string(),
  secret: z.string().optional(),
});

/** `now` gives the shop and the address of the receiver, when a call is made. */
export function endpointCalls(now: () => { readonly shop: Shop; readonly url: string }) {
  const role = 'operator' as const;
  const get = (path: string) => now().shop.request('GET', `${PATH}${path}`, { role });
  const post = (path: string, body?: unknown, key: string = randomUUID()) =>
    now().shop.request('POST', `${PATH}${path}`, { role, body, key });
  const patch = (id: string, body: unknown) =>
    now().shop.request('PATCH', `${PATH}/${id}`, { role, body });

  async function create(body: object = {}, key?: string) {
    const response = await post('', { url: now().url, ...body }, key);
    expect(response.status).toBe(201);
    return endpoint.parse(await response.json());
  }

  return { get, post, patch, create };
}
