/** Each compensation, how its provider fails, and what makes an order need it. */
import { vi } from 'vitest';
import { ProviderRejection } from '../../gateways/resilience/outcome.ts';
import type { Place } from '../../local/sandbox/faults.ts';
import type { RunningShop } from './running-shop.ts';

/** A step that its provider rejects fails permanently at once. */
export const REJECTED = new ProviderRejection('provider', 'test');
export const SHIP = { provider: 'warehouse', operation: 'ship' } as const;
export const CAPTURE = { provider: 'payments', operation: 'capture' } as const;

export const COMPENSATIONS: readonly {
  readonly step: string;
  /** Where a fault of the sandbox makes it fail. */
  readonly failing: Place;
  /** Makes it fail permanently at once. */
  readonly reject: (gateways: RunningShop['gateways']) => unknown;
  /** Refused, so that the order is compensated. */
  readonly cause: Place;
  /** The effect of another compensation, which still happens. */
  readonly stillDone: string;
}[] = [
  {
    step: 'releaseStock',
    failing: { provider: 'warehouse', operation: 'release' },
    reject: ({ warehouse }) => vi.spyOn(warehouse, 'release').mockRejectedValue(REJECTED),
    cause: SHIP,
    stillDone: 'refund',
  },
  {
    step: 'voidOrRefundPayment',
    failing: { provider: 'payments', operation: 'refund' },
    reject: ({ payments }) => vi.spyOn(payments, 'refund').mockRejectedValue(REJECTED),
    cause: SHIP,
    stillDone: 'release',
  },
  {
    step: 'voidOrRefundPayment',
    failing: { provider: 'payments', operation: 'void' },
    reject: ({ payments }) => vi.spyOn(payments, 'voidAuthorization').mockRejectedValue(REJECTED),
    cause: CAPTURE,
    stillDone: 'release',
  },
  {
    step: 'cancelShipment',
    failing: { provider: 'warehouse', operation: 'cancel' },
    reject: ({ warehouse }) => vi.spyOn(warehouse, 'cancelShipment').mockRejectedValue(REJECTED),
    cause: SHIP,
    stillDone: 'refund',
  },
];
