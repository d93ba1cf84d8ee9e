/**
 * The signing secrets of webhook endpoints: the only place that decrypts them. They are decrypted to
 * sign, and for the owner in the response that announces a new one.
 */
import type { WebhookEndpoint } from '../../domain/webhook.ts';
import { insertCompletedKey, type KeyClaim, type StoredResponse } from '../access/idempotency.ts';
import type { Operator } from '../access/operator-actions.ts';
import type { Database } from '../client/client.ts';
import { UnreadableSecretError, type SecretCipher } from '../client/secret-cipher.ts';
import { newSecret, recordAuditAction, toEndpoint, type EndpointRow } from './webhook-endpoints.ts';

/** An endpoint with its signing secrets: the current one, and the previous one while it is valid. */
export interface SigningEndpoint extends WebhookEndpoint {
  readonly secrets: readonly string[];
}

/** The time a receiver has to change over to the new secret. */
export const ROTATION_HOURS = 24;

/**
 * The endpoint with its secrets, or null. Throws UnreadableSecretError when none can be decrypted: a
 * rotation then gives the endpoint a new one.
 */
export async function findSigningEndpoint(
  db: Database,
  cipher: SecretCipher,
  id: string,
): Promise<SigningEndpoint | null> {
  // Raw for the database's clock, which set the expiry.
  const [row] = await db.$queryRaw<(EndpointRow & { secrets: string[] })[]>`
    SELECT id, url, types, status, disabled_reason AS "disabledReason", created_at AS "createdAt",
      updated_at AS "updatedAt", array_remove(ARRAY[secret,
        CASE WHEN previous_secret_expires_at > now() THEN previous_secret END], NULL) AS secrets
    FROM webhook_endpoints WHERE id = ${id}`;
  if (!row) return null;
  const tried = row.secrets.map((stored) => tryDecrypt(cipher, stored, id));
  const secrets = tried.filter((each) => typeof each === 'string');
  const [unreadable] = tried.filter((each) => typeof each !== 'string');
  if (unreadable && secrets.length === 0) throw unreadable;
  return { ...toEndpoint(row), secrets };
}

/**
 * The current secret, if it still is the one that a response announced: the first one, or the one whose
 * rotation let the previous one expire at `previousExpiresAt`. Null after another rotation, after the
 * endpoint's deletion, or without the key.
 */
export async function findCurrentSecret(
  db: Database,
  cipher: SecretCipher,
  wanted: { readonly id: string; readonly previousExpiresAt: string | null },
): Promise<string | null> {
  const { id, previousExpiresAt: previousSecretExpiresAt } = wanted;
  const row = await db.webhookEndpoint.findFirst({ where: { id, previousSecretExpiresAt } });
  const secret = row && tryDecrypt(cipher, row.secret, id);
  return typeof secret === 'string' ? secret : null;
}

/** Encrypts every secret with the current key. Returns how many were not, and the unreadable ones. */
export async function reencryptSecrets(
  db: Database,
  cipher: SecretCipher,
): Promise<{ readonly changed: number; readonly unreadable: readonly string[] }> {
  const unreadable: string[] = [];
  let changed = 0;
  for (const row of await db.webhookEndpoint.findMany()) {
    for (const column of ['secret', 'previousSecret'] as const) {
      const stored = row[column];
      if (stored === null || cipher.isCurrent(stored)) continue;
      const secret = tryDecrypt(cipher, stored, row.id);
      if (typeof secret !== 'string') {
        unreadable.push(secret.message);
        continue;
      }
      // A concurrent rotation has the new key already.
      const where = { id: row.id, [column]: stored };
      const data = { [column]: cipher.encrypt(secret, row.id) };
      changed += (await db.webhookEndpoint.updateMany({ where, data })).count;
    }
  }
  return { changed, unreadable };
}

/**
 * Gives the endpoint a new secret. The previous one signs beside it for `ROTATION_HOURS`. Under an
 * Idempotency-Key, because a repeat would retire the secret just returned. Throws KeyTakenError. Null
 * when no such endpoint exists.
 */
export async function rotateSecret(
  db: Database,
  claim: KeyClaim,
  wanted: {
    readonly id: string;
    readonly by: Operator;
    readonly cipher: SecretCipher;
    readonly response: (previousExpiresAt: string) => StoredResponse;
  },
): Promise<StoredResponse | null> {
  return db.$transaction(async (tx) => {
    const secret = wanted.cipher.encrypt(newSecret(), wanted.id);
    const [row] = await tx.$queryRaw<{ expiresAt: Date }[]>`
      UPDATE webhook_endpoints SET previous_secret = secret, secret = ${secret},
        previous_secret_expires_at = now() + ${ROTATION_HOURS} * interval '1 hour',
        updated_at = now()
      WHERE id = ${wanted.id} RETURNING previous_secret_expires_at AS "expiresAt"`;
    if (!row) return null;
    const response = wanted.response(row.expiresAt.toISOString());
    await insertCompletedKey(tx, claim, response);
    await recordAuditAction(tx, wanted.by, { id: wanted.id, action: 'secret_rotated' });
    return response;
  });
}

function tryDecrypt(
  cipher: SecretCipher,
  stored: string,
  owner: string,
): string | UnreadableSecretError {
  try {
    return cipher.decrypt(stored, owner);
  } catch (error) {
    if (error instanceof UnreadableSecretError) return error;
    throw error;
  }
}
