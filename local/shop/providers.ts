/**
 * What the shop shows of its providers, and the trouble it makes there. The sandbox provides it; a real
 * storefront has nothing of the kind.
 */
import type { Fault, Place } from './offers.ts';

/** One call at a provider, or one message of a provider to the API. */
export interface Call {
  readonly id: number;
  readonly atMs: number;
  readonly provider: string;
  readonly operation: string;
  readonly orderId: string | null;
  /** Null when there was no response. */
  readonly status: number | null;
  readonly fault: string | null;
  readonly replayed: boolean;
}

export interface Effect {
  readonly operation: string;
  readonly key: string;
  readonly amount_minor?: number | undefined;
  readonly currency?: string | undefined;
  readonly at: string;
}

export interface Mail {
  readonly message_id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly at: string;
}

/** A text message. */
export interface Text {
  readonly sid: string;
  readonly to: string;
  readonly body: string;
  readonly at: string;
}

interface Ledger {
  effectsOf(orderId: string): readonly Effect[];
}

export interface Providers {
  readonly faults: {
    set(place: Place, fault: Omit<Fault, 'times'> & { readonly times?: number }): unknown;
    remove(place: Place): void;
  };
  /** What the warehouse really has of a product; null: as much as anybody asks for. */
  readonly warehouseStock: { set(sku: string, available: number | null): void };
  readonly ledgers: Readonly<Record<'payments' | 'warehouse' | 'mail', Ledger>>;
  readonly inbox: { mailsOf(orderId: string): readonly Mail[] };
  readonly texts: { sent(): readonly Text[] };
  readonly calls: {
    /** Oldest first. */
    calls(): readonly Call[];
    subscribe(listener: () => void): () => void;
  };
}
