/** The real gateways to the sandbox, with long deadlines and breakers that stay closed; and the shop. */
import type { CallLimits } from '../../gateways/resilience/guard.ts';
import { createHttpWarehouse } from '../../gateways/warehouse/http-warehouse.ts';
import {
  MAIL_LIMITS,
  PAYMENT_LIMITS,
  SMS_LIMITS,
  WAREHOUSE_LIMITS,
} from '../../gateways/resilience/limits.ts';
import { createSmtpMailer } from '../../gateways/mail/smtp-mailer.ts';
import { createTwilioSms } from '../../gateways/sms/twilio.ts';
import { createStripePayments } from '../../gateways/stripe/payments.ts';
import type { Sandbox } from '../../local/sandbox/sandbox.ts';

/**
 * A call that hangs costs as long. Long enough that one without a fault never misses it, on a machine
 * that is busy with other tests; the budget of a request has room for two.
 */
const DEADLINE_MS = 5_000;

export interface Deadlines {
  /** Of every call. */
  readonly callMs?: number;
  readonly authorizeMs?: number;
  /** Of the warehouse's tracking, which a reader waits for. */
  readonly trackingMs?: number;
}

/** Any account of the sandbox, and the number that its test credentials send from. */
export const TWILIO = {
  accountSid: `AC${'0'.repeat(32)}`,
  authToken: 'a token',
  from: '+15005550006',
} as const;

export type Gateways = ReturnType<typeof createGateways>;

export function createGateways(sandbox: Sandbox, deadlines: Deadlines = {}) {
  const { callMs = DEADLINE_MS, authorizeMs = callMs, trackingMs = callMs } = deadlines;
  const payments = limited(PAYMENT_LIMITS, callMs);
  const warehouse = limited(WAREHOUSE_LIMITS, callMs);
  return {
    shop: { name: 'Holdfast', orderUrl: null, timeZone: 'UTC' },
    payments: createStripePayments({
      apiKey: 'sk_test_shop',
      apiUrl: sandbox.url,
      limits: { ...payments, authorize: { ...payments.authorize, deadlineMs: authorizeMs } },
    }),
    warehouse: createHttpWarehouse({
      baseUrl: sandbox.url,
      apiKey: 'shop',
      limits: { ...warehouse, lookup: { ...warehouse.lookup, deadlineMs: trackingMs } },
    }),
    mailer: createSmtpMailer({
      smtpUrl: `smtp://127.0.0.1:${sandbox.smtpPort}`,
      from: 'Holdfast <orders@holdfast.example>',
      limits: limited(MAIL_LIMITS, callMs),
    }),
    sms: createTwilioSms({
      apiUrl: sandbox.url,
      ...TWILIO,
      limits: limited(SMS_LIMITS, callMs),
    }),
  };
}

/** Breakers are tested with the gateways. Here their clock would be real while Temporal's is skipped. */
function limited<T extends object>(limits: T, deadlineMs: number): T {
  const lenient = { deadlineMs, breakAfter: 1_000_000, maxQueued: 1_000 };
  const entries = Object.entries(limits).map(([name, each]: [string, CallLimits]) => [
    name,
    { ...each, ...lenient },
  ]);
  return Object.fromEntries(entries);
}
