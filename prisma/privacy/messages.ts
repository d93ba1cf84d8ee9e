/** Messages of providers that name no order of ours, kept whole: those about a person. */
import { Prisma } from '../generated/client.ts';

/** The message `i` names the e-mail, in what was understood or in its bytes. */
export function isAbout(email: string): Prisma.Sql {
  return Prisma.sql`i.order_id IS NULL AND (position(${email} IN lower(i.payload::text)) > 0
    OR position(${email} IN lower(encode(i.body, 'escape'))) > 0)`;
}
