/** `npm run migrate`: applies all migrations to the database of DATABASE_URL. Adds no samples. */
import { ConfigError, readDatabaseConfig } from '../../config.ts';
import { migrate } from './migrations.ts';
import { say } from './output.ts';

// A timer of the engine would keep this process alive for ten seconds.
process.exit(await main());

async function main(): Promise<number> {
  try {
    const applied = await migrate({ databaseUrl: readDatabaseConfig().DATABASE_URL });
    for (const name of applied) say(`applied ${name}`);
    say(applied.length === 0 ? 'The database is up to date.' : `${applied.length} applied.`);
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isMisconfigured = error instanceof ConfigError;
    say(isMisconfigured ? reason : `The database was not migrated: ${reason}`);
    return isMisconfigured ? 2 : 1;
  }
}
