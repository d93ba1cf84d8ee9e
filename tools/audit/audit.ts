/**
 * The whole audit: the database's invariants, Temporal, the providers' ledgers, a client's list of
 * acknowledged orders. It only reads. A check that cannot be made is `unchecked`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { isDatabaseUnavailable } from '../../prisma/client/errors.ts';
import {
  checkInvariants,
  readInvariants,
  type InvariantResult,
} from '../../prisma/operations/invariants.ts';
import { acknowledgedCheck } from './acknowledged.ts';
import { runChecks } from './check.ts';
import { ledgerChecks } from './ledgers.ts';
import type { AuditOptions, Places } from './options.ts';
import { privacyCheck } from './privacy.ts';
import { openTemporal } from './temporal-link.ts';
import { workflowChecks } from './workflows.ts';

/** The checks run one after the other; Prisma needs a second connection now and then. */
const POOL_SIZE = 2;
const CONNECT_TIMEOUT_MS = 15_000;
const RETRY_MS = 500;

export interface AuditRequest extends Pick<AuditOptions, 'sample' | 'graceMs' | 'timeoutMs'> {
  readonly places: Places;
  /** Orders a client got a 201 for; null: there is no list. */
  readonly acknowledged: readonly string[] | null;
}

/** Makes every check whose server is known. Never throws for one that is unavailable. */
export async function audit(request: AuditRequest): Promise<readonly InvariantResult[]> {
  const { places, acknowledged, sample, graceMs, timeoutMs } = request;
  const { databaseUrl, sandboxUrl } = places;
  const endsAtMs = Date.now() + timeoutMs;
  // A large shop's tables take their time, and no request waits for these reads.
  const options = { url: databaseUrl, poolSize: POOL_SIZE, statementTimeoutMs: timeoutMs };
  const db = createDatabase(options);
  const temporal = await openTemporal(places.temporal);
  const { client } = temporal;
  try {
    const results = [...(await checkDatabase(db, { graceMs, timeoutMs }))];
    const checks = [
      ...(acknowledged === null ? [] : [acknowledgedCheck(db, acknowledged)]),
      ...(sandboxUrl === null ? [] : ledgerChecks({ db, sandboxUrl })),
      ...workflowChecks({ db, client, graceMs }),
      privacyCheck({ db, client, sample }),
    ];
    for (const check of checks) {
      const leftMs = Math.max(1, endsAtMs - Date.now());
      results.push(...(await runChecks([check], { timeoutMs: leftMs })));
    }
    return results;
  } finally {
    await temporal.close();
    await closeDatabase(db);
  }
}

/**
 * The database's own invariants. Retries while the database is unavailable: a busy machine may be
 * slow to accept a connection. In the end all of them are `unchecked`.
 */
async function checkDatabase(
  db: Database,
  options: { readonly graceMs: number; readonly timeoutMs: number },
): Promise<readonly InvariantResult[]> {
  const retryUntilMs = Date.now() + Math.min(CONNECT_TIMEOUT_MS, options.timeoutMs);
  for (;;) {
    try {
      return await checkInvariants(db, { ...options, queryTimeoutMs: options.timeoutMs });
    } catch (error) {
      if (!isDatabaseUnavailable(error) || Date.now() > retryUntilMs) return allUnchecked(error);
      await delay(RETRY_MS);
    }
  }
}

async function allUnchecked(error: unknown): Promise<readonly InvariantResult[]> {
  const unchecked = error instanceof Error ? error.message : String(error);
  const nothing = { violations: 0, examples: [], unchecked, tookMs: 0 };
  return (await readInvariants()).map(({ query: _query, ...each }) => ({ ...each, ...nothing }));
}
