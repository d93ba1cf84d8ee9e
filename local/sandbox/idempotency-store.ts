/**
 * Idempotency keys of one provider: the first response under a key is saved and replayed. What a
 * mismatch or a key in use looks like is decided by the provider.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SandboxClock } from './clock.ts';
import type { Journal } from './journal.ts';

const rowSchema = z.object({
  fingerprint: z.string(),
  status: z.int(),
  body: z.string(),
  at_ms: z.number(),
});

interface SavedResponse {
  readonly status: number;
  readonly body: string;
}

export type KeyState =
  | { readonly kind: 'new' }
  | { readonly kind: 'in_use' }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'saved'; readonly response: SavedResponse };

export interface IdempotencyStore {
  find(key: string, fingerprint: string): KeyState;
  /** Marks a key as in use, until `release`. */
  claim(key: string): void;
  release(key: string): void;
  save(key: string, fingerprint: string, response: SavedResponse): void;
}

const MAX_KEYS = 200_000;

/** `ttlMs: null` keeps responses until the limit of the table evicts them. */
export function createIdempotencyStore(
  journal: Journal,
  clock: SandboxClock,
  options: { readonly ttlMs: number | null },
): IdempotencyStore {
  const rows = journal.table({ name: 'keys', row: rowSchema, limit: MAX_KEYS });
  const inUse = new Set<string>();
  return {
    find: (key, fingerprint) => {
      if (inUse.has(key)) return { kind: 'in_use' };
      const row = rows.get(key);
      if (row === undefined) return { kind: 'new' };
      if (options.ttlMs !== null && clock.now() - row.at_ms >= options.ttlMs) {
        rows.delete(key);
        return { kind: 'new' };
      }
      if (row.fingerprint !== fingerprint) return { kind: 'mismatch' };
      return { kind: 'saved', response: { status: row.status, body: row.body } };
    },
    claim: (key) => void inUse.add(key),
    release: (key) => void inUse.delete(key),
    save: (key, fingerprint, { status, body }) =>
      rows.set(key, { fingerprint, status, body, at_ms: clock.now() }),
  };
}

/** One value per request; hashed, so that no personal data is stored with a key. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('base64url');
}
