/** When each kind of upkeep ran last, so that one that stopped running is noticed. */
import type { Database } from '../client/client.ts';

/** Remembers a run that came to its end, and what it did. */
export async function recordMaintenanceRun(
  db: Database,
  name: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  const finishedAt = new Date();
  const done = { finishedAt, counts: { ...counts } };
  await db.maintenanceRun.upsert({ where: { name }, create: { name, ...done }, update: done });
}

/** How long ago each kind ran last, in seconds. */
export async function listMaintenanceAges(
  db: Database,
): Promise<readonly { readonly name: string; readonly seconds: number }[]> {
  return db.$queryRaw`
    SELECT name, GREATEST(0, EXTRACT(epoch FROM now() - finished_at))::float8 AS seconds
    FROM maintenance_runs`;
}
