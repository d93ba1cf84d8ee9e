/** Whether the database answers, exists, and has the migrations of this version. It only reads. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { PROJECT } from '../../local/stack/home.ts';
import { found, type Finding } from './finding.ts';

/** Of the connection and of the query: a database elsewhere may be slow. */
const DEADLINE_MS = 10_000;
const MISSING_DATABASE = '3D000';
const MISSING_TABLE = '42P01';
const MIGRATE = 'run npm run migrate';

export async function checkDatabase(url: string): Promise<Finding> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: DEADLINE_MS,
    query_timeout: DEADLINE_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await checkMigrations(client);
  } catch (error) {
    if (codeOf(error) === MISSING_DATABASE) {
      return found(
        'failed',
        `there is no database ${client.database}: ${MIGRATE}, which creates it`,
      );
    }
    return found('failed', 'the database of DATABASE_URL does not answer, or refuses the user');
  } finally {
    await client.end();
  }
}

async function checkMigrations(client: pg.Client): Promise<Finding> {
  const applied = await listApplied(client);
  const entries = await readdir(join(PROJECT, 'prisma', 'migrations'), { withFileTypes: true });
  const missing = entries.filter((entry) => entry.isDirectory() && !applied.has(entry.name));
  if (missing.length === 0) {
    return found('passed', 'the database of DATABASE_URL answers, and has every migration');
  }
  const lacks = `the database ${client.database} lacks ${missing.length} migrations`;
  return found('failed', `${lacks}: ${MIGRATE}`);
}

async function listApplied(client: pg.Client): Promise<ReadonlySet<unknown>> {
  try {
    const { rows } = await client.query<{ name: unknown }>(
      'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL',
    );
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    if (codeOf(error) === MISSING_TABLE) return new Set();
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
