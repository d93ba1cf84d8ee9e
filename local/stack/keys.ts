/**
 * `npm run keys`: adds, lists and revokes API keys in the database of DATABASE_URL, and encrypts its
 * webhook secrets with the first of ENCRYPTION_KEYS.
 */
import { parseArgs } from 'node:util';
import { ConfigError, readDatabaseConfig, readEncryptionConfig } from '../../config.ts';
import { createApiKey, listApiKeys, revokeApiKey, ROLES } from '../../prisma/access/api-keys.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { createSecretCipher } from '../../prisma/client/secret-cipher.ts';
import { reencryptSecrets } from '../../prisma/events/webhook-secrets.ts';
import { say } from './output.ts';

const USAGE = `Usage: npm run keys -- add --role <${ROLES.join('|')}> --name <its user>
       npm run keys -- list
       npm run keys -- revoke <id>
       npm run keys -- reencrypt`;

class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const work = parse(args);
    const db = createDatabase({ url: readDatabaseConfig().DATABASE_URL, poolSize: 1 });
    try {
      await work(db);
    } finally {
      await closeDatabase(db);
    }
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(error instanceof UsageError ? `${reason}\n${USAGE}` : reason);
    return error instanceof UsageError || error instanceof ConfigError ? 2 : 1;
  }
}

/** The work for these arguments. Throws UsageError. */
function parse(args: readonly string[]): (db: Database) => Promise<void> {
  const { verb, rest, role, name } = readArguments(args);
  const [id, ...more] = rest;
  if (verb === 'list' && id === undefined) return list;
  if (verb === 'reencrypt' && id === undefined) return reencrypt;
  if (verb === 'revoke' && id !== undefined && more.length === 0) return (db) => revoke(db, id);
  if (verb !== 'add' || id !== undefined)
    throw new UsageError('Give add, list, revoke or reencrypt.');
  const known = ROLES.find((each) => each === role);
  if (known === undefined) throw new UsageError(`--role is one of ${ROLES.join(', ')}.`);
  if (!name) throw new UsageError('Give --name, e.g. --name web.');
  return async (db) => {
    const { key, ...added } = await createApiKey(db, { role: known, name });
    say(`${added.id}  ${added.role}  ${added.name}`);
    say(`\n  ${key}\n\nThe key is shown only once; the database stores its digest.`);
  };
}

function readArguments(args: readonly string[]) {
  try {
    const options = { role: { type: 'string' }, name: { type: 'string' } } as const;
    const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [verb, ...rest] = positionals;
    return { verb, rest, ...values };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function list(db: Database): Promise<void> {
  const keys = await listApiKeys(db);
  for (const { id, role, name, createdAt, revokedAt } of keys) {
    const state = revokedAt === null ? 'active' : `revoked ${revokedAt.toISOString()}`;
    say(`${id}  ${role.padEnd(10)}  created ${createdAt.toISOString()}  ${state}  ${name}`);
  }
  if (keys.length === 0) say('There are no API keys yet: npm run keys -- add');
}

async function revoke(db: Database, id: string): Promise<void> {
  if (!(await revokeApiKey(db, id))) throw new Error(`There is no active API key ${id}.`);
  say(`${id} is revoked. API processes reject it within 30 seconds.`);
}

async function reencrypt(db: Database): Promise<void> {
  const keys = readEncryptionConfig().ENCRYPTION_KEYS;
  const { changed, unreadable } = await reencryptSecrets(db, createSecretCipher(keys));
  say(`${changed} webhook secrets encrypted again, with the key ${keys[0]?.id}.`);
  if (unreadable.length > 0) throw new Error(`Not readable:\n  ${unreadable.join('\n  ')}`);
  say('No webhook secret needs another key now.');
}
