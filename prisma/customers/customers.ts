/**
 * Customers: guests, which `POST /v1/orders` adds, and registered ones. An erased customer has no e-mail
 * and is not found. Raw SQL for the database's clock and ON CONFLICT.
 */
import type { CustomerProfile } from '../../domain/customer.ts';
import type { CustomerId } from '../../domain/ids.ts';
import { toLanguage, type Language } from '../../domain/language.ts';
import type { Database, Transaction } from '../client/client.ts';
import { uncheckedColumn } from '../client/columns.ts';
import { newId } from '../client/ids.ts';
import { Prisma } from '../generated/client.ts';

/**
 * True when the e-mail is of a registered customer. An aggregate: the statement reads and returns the
 * same for a guest as for an address that nobody has.
 */
export async function isRegistered(db: Database, email: string): Promise<boolean> {
  const [row] = await db.$queryRaw<{ registered: boolean }[]>`
    SELECT count(registered_at) > 0 AS registered FROM customers WHERE email = ${email}`;
  return row?.registered === true;
}

/** The customer, or null when it is unknown or erased. */
export async function findCustomer(
  db: Database | Transaction,
  id: CustomerId,
): Promise<CustomerProfile | null> {
  const [row] = await db.$queryRaw<CustomerRow[]>`
    SELECT ${COLUMNS} FROM customers WHERE id = ${id} AND email IS NOT NULL`;
  return row ? toProfile(row) : null;
}

export interface CustomerDraft {
  readonly email: string;
  readonly name: string;
  readonly phone: string | null;
  readonly language: Language | null;
  readonly smsConsent: boolean;
}

/**
 * Adds a registered customer, or registers the guest of that e-mail; null when it is registered already.
 * One statement decides: of concurrent registrations of one e-mail one is made.
 */
export async function addRegistered(
  tx: Transaction,
  { email, name, phone, language, smsConsent }: CustomerDraft,
): Promise<CustomerProfile | null> {
  const [row] = await tx.$queryRaw<CustomerRow[]>`
    INSERT INTO customers AS known (id, email, name, phone, language, sms_consent, registered_at)
    VALUES (${newId('customer')}, ${email}, ${name}, ${phone}, ${language}, ${smsConsent}, now())
    ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name, phone = EXCLUDED.phone,
      language = EXCLUDED.language, sms_consent = EXCLUDED.sms_consent, registered_at = now(),
      version = known.version + 1, updated_at = now()
      WHERE known.registered_at IS NULL
    RETURNING ${COLUMNS}`;
  return row ? toProfile(row) : null;
}

/** What is left out stays as it is. */
export interface CustomerChange {
  readonly name?: string | undefined;
  readonly phone?: string | null | undefined;
  readonly language?: Language | null | undefined;
  readonly smsConsent?: boolean | undefined;
}

export type ChangeOutcome =
  | { readonly kind: 'changed'; readonly customer: CustomerProfile }
  /** The customer would consent to SMS without a phone. */
  | { readonly kind: 'consent_without_phone' }
  /** Null: there is no such customer any more. */
  | { readonly kind: 'version_mismatch'; readonly currentVersion: number | null };

/** Changes the customer at `expectedVersion`; at any when that is null. */
export async function changeCustomer(
  tx: Transaction,
  id: CustomerId,
  { expectedVersion, ...change }: CustomerChange & { readonly expectedVersion: number | null },
): Promise<ChangeOutcome> {
  const name = changed('name', change.name);
  const phone = changed('phone', change.phone);
  const language = changed('language', change.language);
  const smsConsent = changed('sms_consent', change.smsConsent);
  const isAtVersion =
    expectedVersion === null ? Prisma.empty : Prisma.sql`AND version = ${expectedVersion}`;
  const [row] = await tx.$queryRaw<CustomerRow[]>`
    UPDATE customers SET name = ${name}, phone = ${phone}, language = ${language},
      sms_consent = ${smsConsent}, version = version + 1, updated_at = now()
    WHERE id = ${id} AND email IS NOT NULL ${isAtVersion}
      AND (${phone}::text IS NOT NULL OR NOT ${smsConsent}::boolean)
    RETURNING ${COLUMNS}`;
  if (row) return { kind: 'changed', customer: toProfile(row) };
  const current = (await findCustomer(tx, id))?.version ?? null;
  if (current !== null && (expectedVersion === null || current === expectedVersion)) {
    return { kind: 'consent_without_phone' };
  }
  return { kind: 'version_mismatch', currentVersion: current };
}

/** The new value, or the column itself. */
function changed(column: string, value: string | boolean | null | undefined): Prisma.Sql {
  return value === undefined ? Prisma.raw(column) : Prisma.sql`${value}`;
}

type CustomerRow = Omit<Prisma.CustomerGetPayload<object>, 'email'> & { readonly email: string };

const COLUMNS = Prisma.sql`id, email, name, phone, language, sms_consent AS "smsConsent",
  registered_at AS "registeredAt", version, created_at AS "createdAt", updated_at AS "updatedAt"`;

function toProfile(row: CustomerRow): CustomerProfile {
  return {
    ...row,
    id: uncheckedColumn<CustomerId>(row.id),
    language: row.language === null ? null : toLanguage(row.language),
    registeredAt: row.registeredAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
