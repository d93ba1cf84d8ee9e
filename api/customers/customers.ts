/** Registers, loads and changes customers. */
import type { CustomerProfile } from '../../domain/customer.ts';
import { isCustomerId } from '../../domain/ids.ts';
import { smsNumberOf } from '../../domain/phone.ts';
import { insertCompletedKey, type KeyClaim } from '../../prisma/access/idempotency.ts';
import { recordAction, type Operator } from '../../prisma/access/operator-actions.ts';
import type { Database } from '../../prisma/client/client.ts';
import {
  addRegistered,
  changeCustomer,
  findCustomer,
  type CustomerChange,
  type CustomerDraft,
} from '../../prisma/customers/customers.ts';
import { notAtVersion } from '../http/etag.ts';
import { refused, withIdempotencyKey, type IdempotentOutcome } from '../http/idempotent.ts';
import { invalidRequest, ProblemError, type Problem } from '../http/problems.ts';
import { jsonPointer } from '../http/validation.ts';
import { CONSENT_NEEDS_PHONE, type CustomerBody } from '../schemas/customers.ts';

/** Registers the customer under an Idempotency-Key: customer and response are one transaction. */
export function registerCustomer(
  db: Database,
  claim: KeyClaim,
  { draft, by }: { readonly draft: CustomerDraft; readonly by: Operator },
): Promise<IdempotentOutcome> {
  return withIdempotencyKey(db, claim, () =>
    db.$transaction(async (tx) => {
      const customer = await addRegistered(tx, draft);
      if (customer === null) return refused(emailTaken());
      const data = { sms_consent: customer.smsConsent };
      await recordAction(tx, by, { action: 'customer.registered', subject: customer.id, data });
      const response = { status: 201, body: JSON.stringify(customerBody(customer)) };
      await insertCompletedKey(tx, claim, response);
      return response;
    }),
  );
}

/** Throws ProblemError `customer_not_found`: unknown, erased, or no id of a customer. */
export async function loadCustomer(db: Database, id: string): Promise<CustomerProfile> {
  const customer = isCustomerId(id) ? await findCustomer(db, id) : null;
  if (customer === null) throw customerNotFound();
  return customer;
}

/** Changes what is named. `expectedVersion`: null for any. Throws ProblemError. */
export async function updateCustomer(
  db: Database,
  { id }: CustomerProfile,
  change: CustomerChange & {
    readonly expectedVersion: number | null;
    /** The fields as the request names them, for the audit log. */
    readonly named: readonly string[];
    readonly by: Operator;
  },
): Promise<CustomerProfile> {
  const { named, by, ...fields } = change;
  const outcome = await db.$transaction(async (tx) => {
    const changed = await changeCustomer(tx, id, fields);
    if (changed.kind !== 'changed') return changed;
    const { customer } = changed;
    // Rolled back: an SMS needs an international number.
    if (customer.smsConsent && smsNumberOf(customer) === null) {
      throw new ProblemError(consentWithoutPhone());
    }
    // Consent has to be shown (Article 7 GDPR): who changed it, and when.
    const data = { fields: named, sms_consent: customer.smsConsent };
    await recordAction(tx, by, { action: 'customer.updated', subject: id, data });
    return changed;
  });
  switch (outcome.kind) {
    case 'changed':
      return outcome.customer;
    case 'consent_without_phone':
      throw new ProblemError(consentWithoutPhone());
    case 'version_mismatch':
      if (outcome.currentVersion === null) throw customerNotFound();
      throw notAtVersion('customer', outcome.currentVersion);
  }
}

export function customerBody(customer: CustomerProfile): CustomerBody {
  return {
    object: 'customer',
    id: customer.id,
    email: customer.email,
    name: customer.name,
    phone: customer.phone,
    language: customer.language,
    sms_consent: customer.smsConsent,
    registered_at: customer.registeredAt,
    version: customer.version,
    created_at: customer.createdAt,
    updated_at: customer.updatedAt,
  };
}

function consentWithoutPhone(): Problem {
  return invalidRequest([{ detail: CONSENT_NEEDS_PHONE, pointer: jsonPointer(['phone']) }]);
}

export function customerNotFound(): ProblemError {
  return new ProblemError({ code: 'customer_not_found', detail: 'No customer has this id.' });
}

function emailTaken(): Problem {
  const detail = 'A customer with this e-mail is registered. Let the person log in instead.';
  return { code: 'email_taken', detail };
}
