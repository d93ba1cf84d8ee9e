/** What holds a person without an order of ours: messages of providers, and stored registrations. */
import { Prisma } from '../generated/client.ts';

/** The message `i` names the e-mail, in what was understood or in its bytes. */
export function isAbout(email: string): Prisma.Sql {
  return Prisma.sql`i.order_id IS NULL AND (position(${email} IN lower(i.payload::text)) > 0
    OR position(${email} IN lower(encode(i.body, 'escape'))) > 0)`;
}

/**
 * The key `k` holds the response that registered the customer, as `customerBody` begins it, or that
 * granted store credit.
 */
export function isResponseAbout(customerId: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`(k.scope = 'POST /v1/customers'
    AND starts_with(k.body, '{"object":"customer","id":"' || ${customerId}::text || '"')
    OR k.scope = 'POST /v1/customers/' || ${customerId}::text || '/credit')`;
}
