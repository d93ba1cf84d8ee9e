import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSecretCipher, UnreadableSecretError } from '../../prisma/client/secret-cipher.ts';
import { bytesOf } from '../support/app-config.ts';

const [OLD, NEW] = ['2026-11', '2026-12'].map((id) => ({ id, key: bytesOf(id) }));
const OWNER = 'we_01k9zq3v5nfa3s4w1m6t2y8h7c';
const SECRET = `whsec_${bytesOf('secret').toString('base64')}`;
/** Its beginning. */
const CANARY = SECRET.slice(6, 14);

if (!OLD || !NEW) throw new TypeError('two keys');
const cipher = createSecretCipher([OLD]);

describe('an encrypted secret', () => {
  test('any text is decrypted to what it was, for its owner', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (secret, owner) => {
        expect(cipher.decrypt(cipher.encrypt(secret, owner), owner)).toBe(secret);
      }),
    );
  });

  test('the stored text has the id of the key, never the secret, and differs each time', () => {
    const stored = Array.from({ length: 1_000 }, () => cipher.encrypt(SECRET, OWNER));
    expect(new Set(stored).size).toBe(stored.length);
    for (const text of stored) {
      expect(text).toMatch(/^v1:2026-11:[A-Za-z0-9+/]+=*$/);
      expect(Buffer.from(text.split(':')[2] ?? '', 'base64').toString('latin1')).not.toContain(
        CANARY,
      );
    }
  });

  test('a change of any byte makes it unreadable', () => {
    const [version, id, base64 = ''] = cipher.encrypt(SECRET, OWNER).split(':');
    const bytes = Buffer.from(base64, 'base64');
    for (let at = 0; at < bytes.length; at += 1) {
      for (const mask of [1, 0x80]) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(bytes.readUInt8(at) ^ mask, at);
        expect(tryDecrypt(`${version}:${id}:${changed.toString('base64')}`)).toBe('unreadable');
      }
    }
  });

  test('every shorter and every longer text is unreadable', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    for (let length = 0; length < stored.length - 2; length += 1) {
      expect(tryDecrypt(stored.slice(0, length))).toBe('unreadable');
    }
    for (const text of ['', 'whsec_none', 'v1', 'v1::', 'v1:2026-11:', 'v2:2026-11:AAAA', SECRET]) {
      expect(tryDecrypt(text)).toBe('unreadable');
    }
    const [version, id, base64 = ''] = stored.split(':');
    const longer = Buffer.concat([Buffer.from(base64, 'base64'), Buffer.from('x')]);
    expect(tryDecrypt(`${version}:${id}:${longer.toString('base64')}`)).toBe('unreadable');
  });

  test('a secret is unreadable in the row of another owner, and under the name of another key', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    expect(() => cipher.decrypt(stored, `${OWNER}x`)).toThrow(UnreadableSecretError);
    const alias = { id: 'alias', key: OLD.key };
    const both = createSecretCipher([OLD, alias]);
    expect(both.decrypt(stored, OWNER)).toBe(SECRET);
    expect(() => both.decrypt(stored.replace(OLD.id, 'alias'), OWNER)).toThrow(
      UnreadableSecretError,
    );
  });
});

describe('a rotation of the key', () => {
  test('the first key encrypts, and each of them decrypts what it encrypted', () => {
    const before = createSecretCipher([OLD, NEW]);
    const after = createSecretCipher([NEW, OLD]);
    const [old, fresh] = [before.encrypt(SECRET, OWNER), after.encrypt(SECRET, OWNER)];
    for (const each of [before, after]) {
      expect([each.decrypt(old, OWNER), each.decrypt(fresh, OWNER)]).toEqual([SECRET, SECRET]);
    }
    expect([after.isCurrent(old), after.isCurrent(fresh)]).toEqual([false, true]);
    expect([before.isCurrent(old), before.isCurrent(fresh)]).toEqual([true, false]);
  });

  test('the error names the missing key and the owner, and no secret', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    const read = () => createSecretCipher([NEW]).decrypt(stored, OWNER);
    expect(read).toThrow(`${OWNER}: ENCRYPTION_KEYS has no key "2026-11"`);
  });

  test('another key of the same id reads nothing', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    const read = () => createSecretCipher([{ ...NEW, id: OLD.id }]).decrypt(stored, OWNER);
    expect(read).toThrow(UnreadableSecretError);
    expect(read).not.toThrow(CANARY);
  });

  test('each key gives one secret per purpose, the current key first, and none reveals another', () => {
    const [current, old] = createSecretCipher([NEW, OLD]).deriveKeys('a purpose');
    expect(createSecretCipher([NEW]).deriveKeys('a purpose')).toEqual([current]);
    expect(createSecretCipher([OLD]).deriveKeys('a purpose')).toEqual([old]);
    expect(current).toHaveLength(32);
    const all = [current, old, ...createSecretCipher([NEW, OLD]).deriveKeys('another'), NEW.key];
    expect(new Set(all.map((each) => Buffer.from(each ?? '').toString('hex'))).size).toBe(5);
  });

  test('there is no cipher without a key', () => {
    expect(() => createSecretCipher([])).toThrow(TypeError);
  });
});

function tryDecrypt(stored: string): string {
  try {
    return cipher.decrypt(stored, OWNER);
  } catch (error) {
    return error instanceof UnreadableSecretError ? 'unreadable' : String(error);
  }
}
