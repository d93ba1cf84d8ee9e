/**
 * One order that stands still: whether a running workflow explains it, and what is done when none
 * does. Whatever is done is conditional on the order not having moved since it was seen.
 */
import { log } from '@temporalio/activity';
import type { CancelReason } from '../../domain/order.ts';
import {
  findCheckoutProgress,
  markRestarted,
  markStuckNeedsAttention,
  recordRecovered,
  type StuckOrder,
} from '../../prisma/orders/stuck-orders.ts';
import type { Resolution } from '../../domain/attention.ts';
import { END_REASONS, type EndedState } from './run-states.ts';
import type { RunState } from '../../workflows/operations/contract.ts';
import type { MaintenanceDependencies } from './dependencies.ts';

/** `moved`: somebody else was quicker. `explained`: its workflow runs, or a person is asked already. */
export type Settled = 'explained' | 'restarted' | 'parked' | 'healed' | 'abandoned' | 'moved';

/** Rejects when Temporal cannot be asked. */
export async function recoverStuckOrder(
  deps: MaintenanceDependencies,
  order: StuckOrder,
): Promise<Settled> {
  const { kind } = await deps.checkouts.inspect(order.orderId);
  if (kind === 'unavailable') throw new Error('Temporal cannot be asked about the checkouts');
  const isParked = order.status === 'needs_attention';
  if (kind === 'running') return isParked ? clearFaults(deps, order) : 'explained';
  if (isParked) return order.authorizationExpiring ? giveUp(deps, order, kind) : 'explained';
  // Nobody ended it: Temporal lost it or never had it, and every step is safe to do again.
  if (kind === 'missing') return restart(deps, order);
  return park(deps, order, kind);
}

async function park(
  { db }: MaintenanceDependencies,
  order: StuckOrder,
  state: EndedState,
): Promise<Settled> {
  const parked = await markStuckNeedsAttention(db, order, END_REASONS[state]);
  if (!parked) return 'moved';
  log.warn('an order stopped moving: it needs attention', { order_id: order.orderId, state });
  return 'parked';
}

async function restart(deps: MaintenanceDependencies, { orderId }: StuckOrder): Promise<Settled> {
  const records = await findCheckoutProgress(deps.db, orderId);
  if (records === null) return 'moved';
  const cancelReason =
    records.from === 'cancelling' ? (records.cancelReason ?? 'requested_by_operator') : null;
  const began = await begin(deps, records, { cancelReason, resolution: null });
  if (!began) return 'moved';
  log.warn('an order had no workflow: it goes on', { order_id: orderId, from: records.from });
  return 'restarted';
}

/** Only what the sweep itself found to be stuck is healed; a step that waits, waits for its person. */
async function clearFaults({ db }: MaintenanceDependencies, order: StuckOrder): Promise<Settled> {
  if (!order.isCheckoutPending) return 'explained';
  const records = await findCheckoutProgress(db, order.orderId);
  if (records === null || !(await recordRecovered(db, order, records.from))) return 'moved';
  log.info('the workflow of an order runs again', { order_id: order.orderId });
  return 'healed';
}

/** The money would be held no longer, nobody decided, and no workflow is there to mind it. */
async function giveUp(
  deps: MaintenanceDependencies,
  order: StuckOrder,
  state: RunState,
): Promise<Settled> {
  const records = await findCheckoutProgress(deps.db, order.orderId);
  if (records === null) return 'moved';
  const resolution: Resolution = {
    step: order.attentionStep ?? '',
    decision: 'cancel',
    note: 'the authorization was about to expire',
    actor: 'system',
  };
  const replacing = state === 'failing';
  const cancelReason = records.cancelReason ?? 'authorization_expiring';
  if (!(await begin(deps, records, { cancelReason, resolution, replacing }))) return 'moved';
  log.warn('an order was given up: its authorization expires', { order_id: order.orderId });
  return 'abandoned';
}

async function begin(
  { db, checkouts }: MaintenanceDependencies,
  records: NonNullable<Awaited<ReturnType<typeof findCheckoutProgress>>>,
  how: {
    readonly cancelReason: CancelReason | null;
    readonly resolution: Resolution | null;
    readonly replacing?: boolean;
  },
): Promise<boolean> {
  const { cancelReason, resolution, replacing = false } = how;
  const { from, shippedManually } = records;
  const resume = { from, cancelReason, resolution, shippedManually };
  const { kind } = await checkouts.resume(records.start, resume, { replacing });
  if (kind === 'unavailable') throw new Error('Temporal cannot start the checkout');
  if (kind === 'running') return false;
  await markRestarted(db, records.start.orderId);
  return true;
}
