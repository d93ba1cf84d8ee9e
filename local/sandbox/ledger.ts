/**
 * The effects at one provider, a row each. Replays, refusals and calls that change nothing add no
 * row, so a second charge or a second parcel is visible as a second row.
 */
import { z } from 'zod';
import type { SandboxClock } from './clock.ts';
import type { Journal } from './journal.ts';

export const effectSchema = z.object({
  /** The caller's idempotency key, or the effect's own id where a call has none. */
  key: z.string(),
  operation: z.string(),
  order_id: z.string().nullable(),
  amount_minor: z.number().optional(),
  currency: z.string().optional(),
  at: z.string(),
});

export type Effect = Readonly<z.infer<typeof effectSchema>>;

export interface Ledger {
  record(effect: Omit<Effect, 'at'>): void;
  /** Oldest first. */
  effects(): readonly Effect[];
  effectsOf(orderId: string): readonly Effect[];
  clear(): void;
}

const MAX_EFFECTS = 200_000;

export function createLedger(journal: Journal, clock: SandboxClock): Ledger {
  const rows = journal.table({ name: 'ledger', row: effectSchema, limit: MAX_EFFECTS });
  let next = 1 + Number([...rows.entries()].at(-1)?.[0] ?? 0);
  return {
    record: (effect) => {
      rows.set(String(next), { ...effect, at: new Date(clock.now()).toISOString() });
      next += 1;
    },
    effects: () => [...rows.values()],
    effectsOf: (orderId) => {
      const found: Effect[] = [];
      for (const effect of rows.values()) if (effect.order_id === orderId) found.push(effect);
      return found;
    },
    clear: () => rows.clear(),
  };
}
