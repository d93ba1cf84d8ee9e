/** `npm run migrate`: brings the database of DATABASE_URL to the newest migration. Adds no samples. */
import { ConfigError, readDatabaseConfig } from '../../config.ts';
import { migrate } from './migrations.ts';
import { say } from './output.ts';

try {
  const applied = await migrate({ databaseUrl: readDatabaseConfig().DATABASE_URL });
  for (const name of applied) say(`applied ${name}`);
  say(applied.length === 0 ? 'The database is up to date.' : `${applied.length} applied.`);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  say(error instanceof ConfigError ? reason : `The database was not migrated: ${reason}`);
  process.exitCode = 1;
}
