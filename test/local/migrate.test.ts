import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROJECT } from '../../local/stack/home.ts';
import { migrate } from '../../local/stack/migrations.ts';
import { dropDatabase } from '../../local/stack/postgres.ts';
import { createTestDatabase } from '../support/database.ts';
import { useOpened } from '../support/use-opened.ts';
import { makeDir } from '../support/run-files.ts';
import { runScript } from './scripts.ts';

const database = useOpened(createTestDatabase);

/** A folder for migrations. */
function newFolder(): string {
  const folder = makeDir('migrations');
  writeFileSync(join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n');
  return folder;
}

/** Writes a migration; replaces one of the same name. */
function addMigration(name: string, sql: string, folder: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

/** The address of a database that does not exist yet. */
function freshUrl(name: string): string {
  const url = new URL(database.url);
  url.pathname = `${url.pathname}_${name}`;
  onTestFinished(() => dropDatabase(url.href));
  return url.href;
}

async function query(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('migrations', () => {
  it('applied migrations are listed in _prisma_migrations and are not applied again', async () => {
    expect(await migrate({ databaseUrl: database.url })).toEqual([]);
    const rows = await query(database.url, 'SELECT finished_at, checksum FROM _prisma_migrations');
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatchObject({ finished_at: expect.any(Date) });
  });

  it('a role that may open no other database migrates its own', async () => {
    const url = new URL(freshUrl('own'));
    const name = url.pathname.slice(1);
    await query(database.url, `CREATE ROLE ${name} LOGIN PASSWORD 'own'`);
    await query(database.url, `CREATE DATABASE ${name} OWNER ${name}`);
    [url.username, url.password] = [name, 'own'];
    const other = new URL(database.url);
    other.pathname = '/postgres';
    await query(other.href, 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
    try {
      expect((await migrate({ databaseUrl: url.href })).length).toBeGreaterThan(0);
    } finally {
      await query(other.href, 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
    }
  });

  it('a migration with semicolons in comments and code is applied, and a failing one is named', async () => {
    const folder = newFolder();
    const options = { databaseUrl: freshUrl('fresh'), migrationsDir: folder };
    const first = 'CREATE TABLE a (); -- one; two\nDO $$ BEGIN PERFORM 1; END $$;\n';
    addMigration('1_first', first, folder);
    expect(await migrate(options)).toEqual(['1_first']);
    addMigration('2_second', 'SELECT nothing;', folder);
    await expect(migrate(options)).rejects.toThrow('2_second');
    await expect(migrate(options)).rejects.toThrow(/failed migrations/);
  });

  it('a failed migration changes nothing, and is applied again once it is marked as rolled back', async () => {
    const folder = newFolder();
    const options = { databaseUrl: freshUrl('again'), migrationsDir: folder };
    const locked = "SET LOCAL lock_timeout = '2s'; CREATE TABLE a ();";
    addMigration('1_first', `${locked} SELECT nothing;`, folder);
    await expect(migrate(options)).rejects.toThrow('1_first');
    await query(
      options.databaseUrl,
      'UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL',
    );
    addMigration('1_first', locked, folder);
    expect(await migrate(options)).toEqual(['1_first']);
  });

  it('a migration of one statement is no transaction, so that it can create an index concurrently', async () => {
    const folder = newFolder();
    const options = { databaseUrl: freshUrl('index'), migrationsDir: folder };
    const index = 'CREATE INDEX CONCURRENTLY a_id ON a (id);';
    addMigration('1_first', 'CREATE TABLE a (id int);', folder);
    addMigration('2_second', `-- Alone: it cannot run in a transaction.\n${index}\n`, folder);
    expect(await migrate(options)).toEqual(['1_first', '2_second']);
    addMigration('3_third', `SELECT 1; ${index.replace('a_id', 'b_id')}`, folder);
    await expect(migrate(options)).rejects.toThrow('transaction block');
  });
});

describe('npm run migrate', () => {
  const MIGRATE = 'local/stack/migrate.ts';

  it('a missing database is created and migrated without products or API keys, once', async () => {
    const url = freshUrl('created');
    const entries = readdirSync(join(PROJECT, 'prisma', 'migrations'), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const first = await runScript(MIGRATE, [], url);
    expect(first.code).toBe(0);
    expect(first.output.trimEnd().split('\n')).toEqual([
      ...names.toSorted().map((name) => `applied ${name}`),
      `${names.length} applied.`,
    ]);
    const rows = 'SELECT sku AS row FROM products UNION ALL SELECT id FROM api_keys';
    expect(await query(url, rows)).toEqual([]);
    const second = await runScript(MIGRATE, [], url);
    expect(second).toEqual({ code: 0, output: 'The database is up to date.\n' });
  });

  it('a missing DATABASE_URL ends with exit code 2 and a sentence that names it', async () => {
    const { code, output } = await runScript(MIGRATE, [], null);
    expect(code).toBe(2);
    expect(output).toContain('DATABASE_URL: required');
  });
});
