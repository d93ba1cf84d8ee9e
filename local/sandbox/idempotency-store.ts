/**
 * Idempotency keys of one provider: the first answer under a key is kept and given again. Knows
 * nothing of HTTP; what a mismatch or a key in use looks like is the provider's own business.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SandboxClock } from './clock.ts';
import type { Journal } from './journal.ts';

const keptSchema = z.object({
  fingerprint: z.string(),
  status: z.int(),
  body: z.string(),
  at_ms: z.number(),
});

interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

export type KeyState =
  | { readonly kind: 'new' }
  | { readonly kind: 'in_use' }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'kept'; readonly answer: KeptAnswer };

export interface IdempotencyStore {
  look(key: string, fingerprint: string): KeyState;
  /** Marks a key as being worked on, until `letGo`. */
  claim(key: string): void;
  release(key: string): void;
  keep(key: string, fingerprint: string, answer: KeptAnswer): void;
}

const MAX_KEYS = 200_000;

/** `ttlMs: null` keeps answers until the limit of the table pushes them out. */
export function createIdempotencyStore(
  journal: Journal,
  clock: SandboxClock,
  options: { readonly ttlMs: number | null },
): IdempotencyStore {
  const kept = journal.table({ name: 'keys', row: keptSchema, limit: MAX_KEYS });
  const inUse = new Set<string>();
  return {
    look: (key, fingerprint) => {
      if (inUse.has(key)) return { kind: 'in_use' };
      const row = kept.get(key);
      if (row === undefined) return { kind: 'new' };
      if (options.ttlMs !== null && clock.now() - row.at_ms >= options.ttlMs) {
        kept.delete(key);
        return { kind: 'new' };
      }
      if (row.fingerprint !== fingerprint) return { kind: 'mismatch' };
      return { kind: 'kept', answer: { status: row.status, body: row.body } };
    },
    claim: (key) => {
      inUse.add(key);
    },
    release: (key) => {
      inUse.delete(key);
    },
    keep: (key, fingerprint, answer) => {
      kept.set(key, { fingerprint, status: answer.status, body: answer.body, at_ms: clock.now() });
    },
  };
}

/** One line per request shape; hashed, so that nobody's address is stored with a key. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('base64url');
}
