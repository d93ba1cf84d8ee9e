/**
 * What a restricted key needs: the permission of each call that the gateway makes, and the reads that
 * prove it. Stripe checks a permission before anything else of a request; of a write it can be proven
 * by writing alone (https://docs.stripe.com/keys/restricted-api-keys).
 */
import type Stripe from 'stripe';

export interface Permission {
  /** As the form of a restricted key names it. */
  readonly name: string;
  readonly access: 'read' | 'write';
  /** The calls of `gateways/stripe/` that need it, as methods of the package. */
  readonly calls: readonly string[];
  /** Reads that the gateway makes, too. */
  readonly proofs: readonly Proof[];
}

export interface Proof {
  /** One of `calls`. */
  readonly call: string;
  read(stripe: Stripe, options: Stripe.RequestOptions): Promise<unknown>;
}

const ONE = { limit: 1 } as const;

export const PERMISSIONS: readonly Permission[] = [
  {
    name: 'PaymentIntents',
    access: 'write',
    calls: [
      'paymentIntents.create',
      'paymentIntents.capture',
      'paymentIntents.cancel',
      'paymentIntents.retrieve',
      'paymentIntents.list',
      'paymentIntents.search',
    ],
    proofs: [
      {
        call: 'paymentIntents.list',
        read: (stripe, options) => stripe.paymentIntents.list(ONE, options),
      },
      {
        call: 'paymentIntents.search',
        read: (stripe, options) =>
          stripe.paymentIntents.search({ ...ONE, query: "metadata['order_id']:'none'" }, options),
      },
    ],
  },
  {
    name: 'Charges and Refunds',
    access: 'write',
    calls: ['refunds.create', 'refunds.list', 'refunds.retrieve'],
    proofs: [
      { call: 'refunds.list', read: (stripe, options) => stripe.refunds.list(ONE, options) },
      {
        // An expanded object needs its own permission.
        call: 'paymentIntents.list with the charge',
        read: (stripe, options) =>
          stripe.paymentIntents.list({ ...ONE, expand: ['data.latest_charge'] }, options),
      },
    ],
  },
  {
    name: 'Disputes',
    access: 'read',
    calls: ['disputes.list', 'disputes.retrieve'],
    proofs: [
      { call: 'disputes.list', read: (stripe, options) => stripe.disputes.list(ONE, options) },
    ],
  },
  {
    name: 'Radar',
    access: 'read',
    calls: [
      'radar.earlyFraudWarnings.list',
      'radar.earlyFraudWarnings.retrieve',
      'reviews.list',
      'reviews.retrieve',
    ],
    proofs: [
      {
        call: 'radar.earlyFraudWarnings.list',
        read: (stripe, options) => stripe.radar.earlyFraudWarnings.list(ONE, options),
      },
      { call: 'reviews.list', read: (stripe, options) => stripe.reviews.list(ONE, options) },
    ],
  },
];
