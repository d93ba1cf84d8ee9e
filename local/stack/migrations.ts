/**
 * Applies prisma/migrations with Prisma's own engine, compiled to WebAssembly, through the pg
 * driver. It writes `_prisma_migrations`, so `prisma migrate deploy` elsewhere agrees.
 */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  DriverAdapterError,
  bindMigrationAwareSqlAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as engine from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { PROJECT } from './home.ts';
import { createDatabase, databaseExists } from './postgres.ts';

const MIGRATIONS = join(PROJECT, 'prisma', 'migrations');

/**
 * Creates the database if it is missing and applies all migrations. Returns the names of those just
 * applied. Throws the engine's message when one fails or an applied one was edited.
 */
export async function migrate(options: {
  readonly databaseUrl: string;
  readonly migrationsDir?: string;
}): Promise<readonly string[]> {
  if (!(await databaseExists(options.databaseUrl))) await createDatabase(options.databaseUrl);
  const migrationsList = await readMigrations(options.migrationsDir ?? MIGRATIONS);
  await (instantiated ??= instantiate());
  const driver = new WholeScripts({
    connectionString: options.databaseUrl,
    max: 2,
    connectionTimeoutMillis: 5000,
  });
  try {
    const factory = bindMigrationAwareSqlAdapterFactory(driver);
    const schemaEngine = await engine.SchemaEngine.new(
      { datamodels: undefined },
      () => undefined,
      factory,
    );
    const filters = { externalTables: [], externalEnums: [] };
    const applied = await schemaEngine.applyMigrations({ migrationsList, filters });
    return applied.appliedMigrationNames;
  } finally {
    await driver.close();
  }
}

/**
 * The driver adapter splits a script at every semicolon, also inside comments and function bodies.
 * Here it is sent whole, in one implicit transaction, as Prisma's native engine sends it.
 */
class WholeScripts extends PrismaPg {
  private readonly connections: Awaited<ReturnType<PrismaPg['connect']>>[] = [];

  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    adapter.executeScript = (script) => sendWhole(adapter.underlyingDriver(), script);
    this.connections.push(adapter);
    return adapter;
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.dispose()));
  }
}

async function sendWhole(pool: pg.Pool, script: string): Promise<void> {
  try {
    await pool.query(script);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    throw new DriverAdapterError({
      kind: 'postgres',
      code: error.code ?? 'XX000',
      severity: error.severity ?? 'ERROR',
      message: error.message,
      detail: error.detail,
      column: error.column,
      hint: error.hint,
    });
  }
}

/** The engine's module holds one instance: a second one would corrupt the first. */
let instantiated: Promise<void> | undefined;

async function instantiate(): Promise<void> {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve('@prisma/schema-engine-wasm'));
  const bytes = await readFile(join(root, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': { ...engine },
  });
  engine.__wbg_set_wasm(instance.exports);
  const start: unknown = instance.exports['__wbindgen_start'];
  if (typeof start !== 'function') throw new Error('the schema engine has no start function');
  start();
}

async function readMigrations(baseDir: string): Promise<engine.MigrationList> {
  const entries = await readdir(baseDir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const lockfile = join(baseDir, 'migration_lock.toml');
  return {
    baseDir,
    lockfile: {
      path: 'migration_lock.toml',
      content: existsSync(lockfile) ? await readFile(lockfile, 'utf8') : null,
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.sort().map(async (path) => {
        const value = await readFile(join(baseDir, path, 'migration.sql'), 'utf8');
        return { path, migrationFile: { path: 'migration.sql', content: { tag: 'ok', value } } };
      }),
    ),
  };
}
