/** The last run of each maintenance job, by the database's clock, so that one that stopped is noticed. */
import type { Database } from '../client/client.ts';

/** Records a finished run and its counts. */
export async function recordMaintenanceRun(
  db: Database,
  name: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  await db.$executeRaw`
    INSERT INTO maintenance_runs (name, counts) VALUES (${name}, ${JSON.stringify(counts)}::jsonb)
    ON CONFLICT (name) DO UPDATE SET finished_at = now(), counts = EXCLUDED.counts`;
}

/** Seconds since the last run of each job. */
export async function listMaintenanceAges(
  db: Database,
): Promise<readonly { readonly name: string; readonly seconds: number }[]> {
  return db.$queryRaw`
    SELECT name, GREATEST(0, EXTRACT(epoch FROM now() - finished_at))::float8 AS seconds
    FROM maintenance_runs`;
}
