/**
 * Finds disputes, early fraud warnings and reviews whose webhook was lost: those that the provider lists,
 * and the open ones of ours. Each is looked up and applied as after its webhook.
 */
import { Context, log } from '@temporalio/activity';
import { CASE_KINDS } from '../../domain/payment-case.ts';
import { listOpenCases } from '../../prisma/payments/cases.ts';
import { eachItem } from '../../telemetry/items.ts';
import { providerFailure } from '../failures.ts';
import { itemLoop } from '../items.ts';
import type { ReconcileSlice } from '../../workflows/activities.ts';
import type { CaseName, MaintenanceDependencies } from './dependencies.ts';

/** Ends the comparison with a provider that lists its pages in a circle. */
const MAX_PAGES = 5_000;
/** Of a shop with one dispute in a thousand orders, more than it has. The next run takes the others. */
const MAX_OPEN = 500;

export async function reconcileCases(
  deps: MaintenanceDependencies,
  slice: ReconcileSlice,
): Promise<{ readonly followed: number; readonly failed: number }> {
  const named = new Map<string, CaseName>();
  let failed = 0;
  for (const kind of CASE_KINDS) {
    const listed = await listOfKind(deps, slice, kind);
    for (const each of listed.cases) named.set(each.id, each);
    failed += listed.failed;
  }
  for (const each of await listOpenCases(deps.db, MAX_OPEN)) named.set(each.id, each);
  const loop = itemLoop('reconcile_cases', ({ id }: CaseName) => id);
  const notFollowed = await eachItem([...named.values()], loop, async (each) => {
    // The next run takes it up again.
    if ((await deps.followCase(each)) === 'later') throw new Error('the case is not applied yet');
  });
  return { followed: named.size, failed: failed + notFollowed.length };
}

async function listOfKind(
  { payments }: MaintenanceDependencies,
  { from, to }: ReconcileSlice,
  kind: CaseName['kind'],
): Promise<{ readonly cases: readonly CaseName[]; readonly failed: number }> {
  const cases: CaseName[] = [];
  let failed = 0;
  let after: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const listed = await payments.listCases({ kind, from, to, after });
    if (listed.kind !== 'page') throw providerFailure('list cases', listed);
    Context.current().heartbeat();
    cases.push(...listed.cases);
    for (const { subject } of listed.unreadable) {
      failed += 1;
      log.warn('a case of the payment provider is not understood', { kind, case_id: subject });
    }
    if (listed.next === null) break;
    after = listed.next;
  }
  return { cases, failed };
}
