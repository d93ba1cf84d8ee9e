/** What holds a person without an order of ours: messages of providers, and stored registrations. */
import { Prisma } from '../generated/client.ts';

/**
 * Before an address: no character of a local part (U+0060 among them). JSON and `encode` write line breaks
 * and what is not ASCII as escapes that end in a letter or a digit, so an escape is no such character.
 */
const BEFORE = String.raw`(?:^|[^a-z0-9.!#$%&'*+/=?^_\u0060{|}~\\-]|\\(?:[bfnrt]|u[0-9a-f]{4}|[0-7]{3}))`;
/** After it: no more of a domain. */
const AFTER = String.raw`(?!\.?[a-z0-9-])`;

/** The message `i` names the e-mail, in what was understood or in its bytes. */
export function isAbout(email: string): Prisma.Sql {
  const address = email.replaceAll(/[^a-z0-9@]/g, String.raw`\$&`);
  return Prisma.sql`i.order_id IS NULL
    AND lower(concat(i.payload, ' ', encode(i.body, 'escape')))
      ~ ${BEFORE + address + AFTER}::text`;
}

/**
 * The key `k` is of a call about the customer, or of the one that registered the customer, whose body begins
 * as `customerBody` does. As in the index `idempotency_keys_customer`.
 */
export function isCallAbout(customerId: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`(k.scope LIKE 'POST /v1/customers%'
    AND CASE WHEN k.scope = 'POST /v1/customers' THEN split_part(k.body, '"', 8)
      ELSE split_part(k.scope, '/', 4) END = ${customerId})`;
}
