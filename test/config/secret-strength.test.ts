import { describe, expect, test } from 'vitest';
import { weaknessOf } from '../../config/secret-strength.ts';
import { bytesOf } from '../support/app-config.ts';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const TRIALS = 2_000;

/** The same each time, distributed as random bytes are. */
const random = (trial: number, length: number): Buffer =>
  Buffer.concat([bytesOf(`${trial} a`), bytesOf(`${trial} b`)]).subarray(0, length);

describe('a random secret', () => {
  const FORMS: readonly (readonly [string, (trial: number) => Uint8Array])[] = [
    ['of 24 bytes', (trial) => random(trial, 24)],
    ['of 32 bytes', (trial) => random(trial, 32)],
    ['of 64 bytes', (trial) => random(trial, 64)],
    ['of 16 letters and digits', (trial) => base62(trial, 16)],
    ['of 32 letters and digits', (trial) => base62(trial, 32)],
    ['of 32 hexadecimal digits', (trial) => Buffer.from(random(trial, 16).toString('hex'))],
    ['of 44 characters of base64', (trial) => Buffer.from(random(trial, 32).toString('base64'))],
  ];
  test.each(FORMS)(`a random secret %s is never called weak in ${TRIALS} trials`, (_, create) => {
    for (let trial = 0; trial < TRIALS; trial += 1) {
      expect([trial, weaknessOf(create(trial), 16)]).toEqual([trial, null]);
    }
  });

  function base62(trial: number, length: number): Buffer {
    const letters = [...random(trial, length)].map((byte) => BASE62[byte % BASE62.length] ?? '');
    return Buffer.from(letters.join(''));
  }
});

describe('a weak secret', () => {
  test.each([
    ['AAAA', 'too short'],
    ['', 'too short'],
    ['0'.repeat(64), 'too regular'],
    ['\0'.repeat(32), 'too regular'],
    ['0123456789'.repeat(4), 'too regular'],
    ['1a'.repeat(20), 'too regular'],
    ['ab1'.repeat(12), 'too regular'],
    ['0f3c9a7b1d5e'.repeat(2), 'too regular'],
    ['0f3c9a7b1d5e284'.repeat(3).slice(0, 40), 'too regular'],
    ['deadbeef'.repeat(8), 'words'],
    ['0123456789abcdefghijklmnopqrstuvwxyz', 'too regular'],
    ['the shop and its warehouse', 'words'],
    ['CORRECT HORSE BATTERY STAPLE', 'words'],
    ['correct-horse-battery-staple', 'words'],
    ['local-warehouse-callback-secret', 'placeholder'],
    ['changeme-changeme-changeme', 'placeholder'],
    ['Change_Me_0f3c9a7b1d5e2846', 'placeholder'],
    ['MySuperPassword2026!isLong', 'placeholder'],
    ['example-0f3c9a7b1d5e2846aa', 'placeholder'],
  ])('the secret %j is called %s', (text, weakness) => {
    expect([weaknessOf(Buffer.from(text), 16)]).toEqual([expect.stringContaining(weakness)]);
  });

  test('a secret whose bytes count up or down is called too regular', () => {
    for (const step of [1, 3, 7, 255]) {
      const bytes = Uint8Array.from({ length: 32 }, (_, at) => at * step);
      expect(weaknessOf(bytes, 24)).toContain('too regular');
    }
  });

  test('a secret is called too short by its bytes and not by its characters', () => {
    expect(weaknessOf(random(1, 23), 24)).toBe('too short: 23 bytes, at least 24 are needed');
    expect(weaknessOf(random(1, 24), 24)).toBeNull();
  });
});
