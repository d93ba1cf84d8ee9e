import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createApiKey,
  findApiKey,
  hashApiKey,
  listApiKeys,
  revokeApiKey,
} from '../../prisma/access/api-keys.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { createSecretCipher } from '../../prisma/client/secret-cipher.ts';
import { bytesOf } from '../support/app-config.ts';
import { createTestDatabase } from '../support/database.ts';
import { useOpened } from '../support/use-opened.ts';
import { runScript } from './scripts.ts';

const KEY = /\bhf_[\w-]{43}\b/g;

const database = useOpened(createTestDatabase);
let db: Database;
beforeAll(() => {
  db = createDatabase({ url: database.url, poolSize: 2 });
});
afterAll(() => db && closeDatabase(db));

const keys = (...args: string[]) => runScript('local/stack/keys.ts', args, database.url);

describe('npm run keys', () => {
  test('add prints a key that works at once, and the database keeps only its digest', async () => {
    const { code, output } = await keys('add', '--role', 'operator', '--name', 'back office');
    expect(code).toBe(0);
    const shown = output.match(KEY) ?? [];
    expect(shown).toHaveLength(1);
    const [key = ''] = shown;
    const found = await findApiKey(db, hashApiKey(key));
    expect(found).toMatchObject({ role: 'operator', name: 'back office' });
    expect(output).toContain(found?.id);
    expect(JSON.stringify(await db.apiKey.findMany())).not.toContain(key);
  });

  test('revoke ends a key for good, and a second revoke of it fails with exit code 1', async () => {
    const { id, key } = await createApiKey(db, { role: 'storefront', name: 'web' });
    expect(await keys('revoke', id)).toEqual({ code: 0, output: expect.stringContaining(id) });
    expect(await findApiKey(db, hashApiKey(key))).toBeNull();
    expect(await keys('revoke', id)).toEqual({
      code: 1,
      output: `There is no active API key ${id}.\n`,
    });
  });

  test('list names every key with its role and state, and shows no key', async () => {
    const active = await createApiKey(db, { role: 'admin', name: 'the till' });
    const revoked = await createApiKey(db, { role: 'storefront', name: 'the old web shop' });
    await revokeApiKey(db, revoked.id);
    const { code, output } = await keys('list');
    expect(code).toBe(0);
    const lineOf = (id: string) => output.split('\n').find((line) => line.startsWith(id));
    expect(lineOf(active.id)).toMatch(/admin .* active {2}the till$/);
    expect(lineOf(revoked.id)).toMatch(/storefront .* revoked 20\S+Z {2}the old web shop$/);
    expect(output.trimEnd().split('\n')).toHaveLength(await db.apiKey.count());
    expect(output).not.toMatch(KEY);
  });

  test('reencrypt changes the secrets of other keys, and names what it cannot read', async () => {
    const [old, fresh] = ['old', 'new'].map((id) => ({ id, key: bytesOf(id) }));
    if (!old || !fresh) throw new TypeError('two keys');
    const rows = ['we_1', 'we_2'].map((id) => ({
      id,
      url: 'https://shop.example/hooks',
      secret: createSecretCipher([old]).encrypt(`whsec_${id}`, id),
    }));
    await db.webhookEndpoint.createMany({ data: rows });
    const run = (...list: (typeof old)[]) => {
      const texts = list.map(({ id, key }) => `${id}:${key.toString('base64')}`);
      const env = { DATABASE_URL: database.url, ENCRYPTION_KEYS: texts.join(',') };
      return runScript('local/stack/keys.ts', ['reencrypt'], env);
    };
    const missing = await run(fresh);
    expect(missing.code).toBe(1);
    expect(missing.output).toContain('we_2: ENCRYPTION_KEYS has no key "old"');
    const done = await run(fresh, old);
    expect(done).toMatchObject({ code: 0, output: expect.stringContaining('2 webhook secrets') });
    expect(await run(fresh)).toMatchObject({ code: 0 });
    for (const { id, secret } of await db.webhookEndpoint.findMany()) {
      expect(createSecretCipher([fresh]).decrypt(secret, id)).toBe(`whsec_${id}`);
    }
    expect((await run()).output).toContain('ENCRYPTION_KEYS: required');
  });

  test('wrong arguments end with exit code 2 and the usage, and make no key', async () => {
    const before = await db.apiKey.count();
    const wrong = [[], ['add', '--role', 'owner', '--name', 'web'], ['list', '--color']];
    const ran = await Promise.all(wrong.map((args) => keys(...args)));
    for (const [at, { code, output }] of ran.entries()) {
      expect({ args: wrong[at], code }).toEqual({ args: wrong[at], code: 2 });
      expect(output).toContain('Usage: npm run keys -- add --role <storefront|operator|admin>');
    }
    expect(await db.apiKey.count()).toBe(before);
  });

  test('a missing DATABASE_URL ends with exit code 2 and a sentence that names it', async () => {
    const { code, output } = await runScript('local/stack/keys.ts', ['list'], null);
    expect(code).toBe(2);
    expect(output).toContain('DATABASE_URL: required');
  });
});

describe('the functions of API keys', () => {
  test('two keys made with the same role and name are different keys, listed oldest first', async () => {
    const same = { role: 'storefront', name: 'twins' } as const;
    const [first, second] = [await createApiKey(db, same), await createApiKey(db, same)];
    expect(first.key).not.toBe(second.key);
    const listed = (await listApiKeys(db)).filter(({ name }) => name === same.name);
    expect(listed.map(({ id }) => id)).toEqual([first.id, second.id]);
    expect(await findApiKey(db, hashApiKey(second.key))).toEqual({ ...same, id: second.id });
  });

  test('revoking an unknown key changes nothing and returns false', async () => {
    const before = await listApiKeys(db);
    expect(await revokeApiKey(db, 'key_unknown')).toBe(false);
    expect(await listApiKeys(db)).toEqual(before);
  });

  test('an unknown key and a key in another letter case are not found', async () => {
    const { key } = await createApiKey(db, { role: 'admin', name: 'exact' });
    expect(await findApiKey(db, hashApiKey('hf_unknown'))).toBeNull();
    expect(await findApiKey(db, hashApiKey(key.toUpperCase()))).toBeNull();
  });
});
