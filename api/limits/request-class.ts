/** Which door of admission.ts a request comes in by: by what it may have to wait for. */
import type { ADMISSION_LIMITS } from './concurrency-limit.ts';

export type Door = keyof typeof ADMISSION_LIMITS;

/** What asks Temporal, or somebody's webhook receiver, and waits for the answer. */
const SLOW = [
  /^\/v1\/orders\/[^/]+\/cancel$/,
  /^\/v1\/dead-letters\/(?:[^/]+\/)?redrive$/,
  /^\/v1\/webhook-endpoints\/[^/]+\/(?:test|redeliver)$/,
  /^\/v1\/webhook-endpoints$/,
  /^\/v1\/subscriptions\/[^/]+\/resume$/,
];

export function doorOf({ method, path }: { readonly method: string; readonly path: string }): Door {
  if (method !== 'POST') return 'other';
  if (path === '/v1/orders') return 'checkout';
  return SLOW.some((pattern) => pattern.test(path)) ? 'slow' : 'other';
}
