import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../local/stack/migrations.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let dir: string;

beforeAll(async () => {
  database = await createTestDatabase();
  dir = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
  writeFileSync(join(dir, 'migration_lock.toml'), 'provider = "postgresql"\n');
});

afterAll(async () => {
  await database.drop();
  rmSync(dir, { recursive: true, force: true });
});

function addMigration(name: string, sql: string): void {
  mkdirSync(join(dir, name));
  writeFileSync(join(dir, name, 'migration.sql'), sql);
}

describe('migrations', () => {
  it('applied migrations are listed in _prisma_migrations and are not applied again', async () => {
    expect(await migrate({ databaseUrl: database.url })).toEqual([]);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query('SELECT finished_at, checksum FROM _prisma_migrations');
    await client.end();
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatchObject({ finished_at: expect.any(Date) });
  });

  it('a migration with semicolons in comments and code is applied, and a failing one is named', async () => {
    const fresh = new URL(database.url);
    fresh.pathname = `${fresh.pathname}_fresh`;
    const options = { databaseUrl: fresh.href, migrationsDir: dir };
    addMigration('1_first', 'CREATE TABLE a (); -- one; two\nDO $$ BEGIN PERFORM 1; END $$;\n');
    expect(await migrate(options)).toEqual(['1_first']);
    addMigration('2_second', 'SELECT nothing;');
    await expect(migrate(options)).rejects.toThrow('2_second');
    await expect(migrate(options)).rejects.toThrow(/failed migrations/);
  });
});
