/** API keys. Only a SHA-256 digest is stored; the key itself is shown once, at its creation. */
import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '../client/client.ts';
import { newId } from '../client/ids.ts';
import type { ApiKeyRole } from '../generated/enums.ts';

/** From the least to the most privileged. */
export const ROLES = ['storefront', 'operator', 'admin'] as const satisfies readonly Role[];
export type Role = ApiKeyRole;

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** The digest by which a key is stored. Keys are long and random, so no salt is needed. */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The live key with this digest, or null. */
export async function findApiKey(db: Database, keyHash: string): Promise<ApiKey | null> {
  const row = await db.apiKey.findUnique({ where: { keyHash } });
  if (!row || row.revokedAt !== null) return null;
  return { id: row.id, name: row.name, role: row.role };
}

/** The live key with this id, or null. */
export async function findApiKeyById(db: Database, id: string): Promise<ApiKey | null> {
  const row = await db.apiKey.findUnique({ where: { id } });
  if (!row || row.revokedAt !== null) return null;
  return { id: row.id, name: row.name, role: row.role };
}

/** Creates a key with 256 random bits. Only the returned value ever has the key itself. */
export async function createApiKey(
  db: Database,
  { role, name }: Omit<ApiKey, 'id'>,
): Promise<ApiKey & { readonly key: string }> {
  const [id, key] = [newId('apiKey'), `hf_${randomBytes(32).toString('base64url')}`];
  await db.apiKey.create({ data: { id, name, role, keyHash: hashApiKey(key) } });
  return { id, name, role, key };
}

/** Every key, the oldest first, the revoked ones too. */
export async function listApiKeys(db: Database) {
  const select = { id: true, name: true, role: true, createdAt: true, revokedAt: true } as const;
  return db.apiKey.findMany({ select, orderBy: { createdAt: 'asc' } });
}

/** Revokes a key. False when no such key exists, or it was revoked before. */
export async function revokeApiKey(db: Database, id: string): Promise<boolean> {
  // Raw for the database's clock.
  const revoked = await db.$executeRaw`
    UPDATE api_keys SET revoked_at = now() WHERE id = ${id} AND revoked_at IS NULL`;
  return revoked === 1;
}
