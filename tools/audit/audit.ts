/**
 * The whole audit: the database's own invariants, Temporal, the providers' ledgers, a client's list.
 * It only reads. What cannot be reached is `unchecked`, never passed over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase, type Database } from '../../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import {
  checkInvariants,
  readInvariants,
  type InvariantResult,
} from '../../prisma/operations/invariants.ts';
import { acknowledgedCheck } from './acknowledged.ts';
import { runChecks, type Check } from './check.ts';
import { ledgerChecks } from './ledgers.ts';
import type { AuditOptions, Places } from './options.ts';
import { privacyCheck } from './privacy.ts';
import { openTemporal, type AuditedTemporal } from './temporal-link.ts';
import { workflowChecks } from './workflows.ts';

/** The checks are made one after the other; Prisma keeps one connection for itself now and then. */
const POOL_SIZE = 2;
const PATIENCE_MS = 15_000;
const RETRY_MS = 500;

export interface AuditRequest extends Pick<AuditOptions, 'sample' | 'graceMs' | 'timeoutMs'> {
  readonly places: Places;
  /** Orders a client got a 201 for; null: it kept no list. */
  readonly acknowledged: readonly string[] | null;
}

/** Makes every check there is a place for. Never throws for a server that is away. */
export async function audit(request: AuditRequest): Promise<readonly InvariantResult[]> {
  const { places, graceMs, timeoutMs } = request;
  const endsAtMs = Date.now() + timeoutMs;
  const db = createDatabase({ url: places.databaseUrl, poolSize: POOL_SIZE });
  const temporal = await openTemporal(places.temporal);
  try {
    const results = [...(await askDatabase(db, { graceMs, timeoutMs }))];
    for (const check of otherChecks(db, temporal, request)) {
      const leftMs = Math.max(1, endsAtMs - Date.now());
      results.push(...(await runChecks([check], { timeoutMs: leftMs })));
    }
    return results;
  } finally {
    await temporal.close();
    await db.$disconnect();
  }
}

/**
 * The database's own invariants; all of them `unchecked` when it cannot be asked, a while after the
 * first try: a busy machine may be slow to say hello.
 */
async function askDatabase(
  db: Database,
  options: { readonly graceMs: number; readonly timeoutMs: number },
): Promise<readonly InvariantResult[]> {
  const patientUntilMs = Date.now() + Math.min(PATIENCE_MS, options.timeoutMs);
  for (;;) {
    try {
      return await checkInvariants(db, options);
    } catch (error) {
      if (!isDatabaseUnavailable(error) || Date.now() > patientUntilMs) return unasked(error);
      await delay(RETRY_MS);
    }
  }
}

async function unasked(error: unknown): Promise<readonly InvariantResult[]> {
  const unchecked = error instanceof Error ? error.message : String(error);
  const nothing = { violations: 0, examples: [], unchecked, tookMs: 0 };
  return (await readInvariants()).map(({ query: _query, ...each }) => ({ ...each, ...nothing }));
}

function otherChecks(
  db: Database,
  { client }: AuditedTemporal,
  { places, sample, graceMs, acknowledged }: AuditRequest,
): readonly Check[] {
  const { sandboxUrl } = places;
  return [
    ...(acknowledged === null ? [] : [acknowledgedCheck(db, acknowledged)]),
    ...(sandboxUrl === null ? [] : ledgerChecks({ db, sandboxUrl })),
    ...workflowChecks({ db, client, graceMs }),
    privacyCheck({ db, client, sample }),
  ];
}
