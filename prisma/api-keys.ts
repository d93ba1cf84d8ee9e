/** API keys. Only a SHA-256 digest is kept; the key itself is shown once, to whoever made it. */
import { createHash } from 'node:crypto';
import type { Database } from './client.ts';

export const ROLES = ['storefront', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** The digest under which a key is kept. Keys are long and random, so no salt is needed. */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The live key with this digest, or null. */
export async function findApiKey(db: Database, keyHash: string): Promise<ApiKey | null> {
  const row = await db.apiKey.findUnique({ where: { keyHash } });
  if (!row || row.revokedAt !== null) return null;
  const role = ROLES.find((each) => each === row.role);
  return role ? { id: row.id, name: row.name, role } : null;
}
