/**
 * Encrypts secrets that must be read again, such as those that sign webhooks: AES-256-GCM (NIST SP
 * 800-38D) under keys that are not in the database. A copy of the database alone reveals none.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export interface EncryptionKey {
  /** Stored with everything it encrypts. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface SecretCipher {
  /** Encrypts for one owner, a row's id: the result cannot be decrypted in another row. */
  encrypt(secret: string, owner: string): string;
  /** Throws UnreadableSecretError. */
  decrypt(stored: string, owner: string): string;
  /** Whether it was encrypted with the key that encrypts now. */
  isCurrent(stored: string): boolean;
  /** A secret of 32 bytes for another purpose from each key (HKDF, RFC 5869); the first is current. */
  deriveKeys(purpose: string): readonly Uint8Array<ArrayBuffer>[];
}

/** The key is missing, or the stored text was changed or moved to another row. */
export class UnreadableSecretError extends Error {
  override readonly name = 'UnreadableSecretError';
}

const ALGORITHM = 'aes-256-gcm';
/** The form of what is stored: `v1:<id of the key>:<nonce, ciphertext and tag in base64>`. */
const VERSION = 'v1';
/** The lengths that GCM recommends. A random nonce is safe for 2^32 secrets of one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** The first key encrypts, each of them decrypts. Throws TypeError without a key. */
export function createSecretCipher(keys: readonly EncryptionKey[]): SecretCipher {
  const [current] = keys;
  if (current === undefined) throw new TypeError('no encryption key');
  const prefix = `${VERSION}:${current.id}:`;
  return {
    encrypt(secret, owner) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, current.key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(prefix + owner));
      const parts = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return prefix + Buffer.concat(parts).toString('base64');
    },
    decrypt(stored, owner) {
      const [version, keyId = '', base64 = ''] = stored.split(':');
      const found = keys.find(({ id }) => id === keyId);
      if (version !== VERSION || found === undefined) {
        throw new UnreadableSecretError(`${owner}: ENCRYPTION_KEYS has no key "${keyId}"`);
      }
      const bytes = Buffer.from(base64, 'base64');
      try {
        return decryptBytes(found.key, bytes, `${VERSION}:${keyId}:${owner}`);
      } catch {
        throw new UnreadableSecretError(
          `${owner}: the stored secret or the key "${keyId}" was changed`,
        );
      }
    },
    isCurrent: (stored) => stored.startsWith(prefix),
    deriveKeys: (purpose) =>
      keys.map(({ key }) => new Uint8Array(hkdfSync('sha256', key, '', purpose, KEY_BYTES))),
  };
}

/** Throws when the key, the bytes or the additional data are not those of the encryption. */
function decryptBytes(key: Uint8Array, bytes: Buffer, additionalData: string): string {
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const ciphertext = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(additionalData));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
}
