/**
 * Orders and their workflows at Temporal: one each, and none without the other. The list Temporal
 * gives lags behind, so what looks wrong is asked about by name before it is reported.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { checkoutWorkflowId, isOrderId, type OrderId } from '../../domain/ids.ts';
import { findAuditedOrders, listMovingOrders } from '../../prisma/operations/audit-queries.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Violation } from '../../prisma/operations/invariants.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import type { Check } from './check.ts';

export interface WorkflowChecksOptions {
  readonly db: Database;
  /** Throws when Temporal cannot be asked. */
  readonly client: () => Client;
  /** How long an order may be placed before its workflow runs. Default 60 s. */
  readonly graceMs?: number | undefined;
}

interface Asking extends Omit<WorkflowChecksOptions, 'client'> {
  readonly client: Client;
}

interface Run {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: string;
}

const GRACE_MS = 60_000;
/** More than this is a job for the sweep, page by page; said aloud instead of passed over. */
const MAX_LISTED = 100_000;
const MAX_MOVING = 20_000;
const MAX_ASKED = 200;
/** For all calls of a check, and for one. */
const DEADLINE_MS = 20_000;
const CALL_DEADLINE_MS = 5_000;
/** A run that ended without an end: another may follow it. */
const GIVEN_UP = ['FAILED', 'TERMINATED', 'TIMED_OUT', 'CONTINUED_AS_NEW'];

/** The checks; each lists the workflows anew. */
export function workflowChecks(options: WorkflowChecksOptions): readonly Check[] {
  const ask = async (find: (asking: Asking) => Promise<readonly Violation[]>) => {
    const client = options.client();
    const deadlineMs = Date.now() + DEADLINE_MS;
    return client.withDeadline(deadlineMs, () => find({ ...options, client }));
  };
  return [
    {
      name: 'one_workflow_per_order',
      title: 'One checkout workflow carries an order, and none an order that does not exist',
      run: () => ask(findStrangeRuns),
    },
    {
      name: 'moving_orders_run',
      title: 'Every order that still moves has a running workflow',
      run: () => ask(findOrphans),
    },
  ];
}

async function findStrangeRuns(options: Asking): Promise<readonly Violation[]> {
  const runs = await listRuns(options.client);
  return [...(await findOrderless(options, runs)), ...(await findDoubled(options, runs))];
}

/** An order is written before its workflow can be asked for: one without is somebody's mistake. */
async function findOrderless({ db }: Asking, runs: readonly Run[]): Promise<readonly Violation[]> {
  const ids = [...new Set(runs.map(({ workflowId }) => orderOf(workflowId) ?? workflowId))];
  const orders = await findAuditedOrders(db, ids);
  const orderless = ids.filter((id) => orders.get(id)?.wasPlaced !== true);
  return orderless.map((id) => {
    const order = orders.get(id);
    const detail = order ? `its order is only ${order.status}` : 'there is no such order';
    return { subject: isOrderId(id) ? checkoutWorkflowId(id) : id, detail };
  });
}

async function findDoubled(
  { client }: Asking,
  runs: readonly Run[],
): Promise<readonly Violation[]> {
  const byId = new Map<string, Run[]>();
  for (const run of runs) {
    if (GIVEN_UP.includes(run.status)) continue;
    byId.set(run.workflowId, [...(byId.get(run.workflowId) ?? []), run]);
  }
  const doubled = [...byId].filter(([, of]) => of.length > 1).slice(0, MAX_ASKED);
  const violations: Violation[] = [];
  for (const [subject, of] of doubled) {
    const found = await Promise.all(of.map(({ runId }) => findRun(client, subject, runId)));
    const statuses = found.flatMap((run) => (run === null ? [] : [run.status]));
    if (statuses.filter((status) => !GIVEN_UP.includes(status)).length < 2) continue;
    violations.push({ subject, detail: `runs: ${statuses.join(', ')}` });
  }
  return violations;
}

async function findOrphans(options: Asking): Promise<readonly Violation[]> {
  const { db, client, graceMs = GRACE_MS } = options;
  const limit = MAX_MOVING + 1;
  const moving = await listMovingOrders(db, { graceMs, limit });
  if (moving.length === limit) throw new Error(`more than ${MAX_MOVING} orders move`);
  if (moving.length === 0) return [];
  const running = new Set((await listRuns(client, RUNNING)).map(({ workflowId }) => workflowId));
  const unseen = moving.filter((id) => !running.has(checkoutWorkflowId(id)));
  if (unseen.length === 0) return [];
  const violations: Violation[] = [];
  for (const id of unseen.slice(0, MAX_ASKED)) {
    const run = await findRun(client, checkoutWorkflowId(id));
    // One that has just closed: the order is about to rest, or the sweep to find it.
    if (run?.status === 'RUNNING' || (run && run.closedAtMs > Date.now() - graceMs)) continue;
    const status = run?.status.toLowerCase() ?? 'missing';
    violations.push({ subject: id, detail: `workflow ${status}` });
  }
  return stillMoving(options, violations);
}

/** Without those that came to rest while we asked. */
async function stillMoving(
  { db, graceMs = GRACE_MS }: Asking,
  violations: readonly Violation[],
): Promise<readonly Violation[]> {
  if (violations.length === 0) return [];
  const now = new Set<string>(await listMovingOrders(db, { graceMs, limit: MAX_MOVING }));
  return violations.filter(({ subject }) => now.has(subject));
}

const RUNNING = ` AND ExecutionStatus = 'Running'`;

async function listRuns(client: Client, where = ''): Promise<readonly Run[]> {
  const runs: Run[] = [];
  const query = `WorkflowType = '${CHECKOUT_WORKFLOW}'${where}`;
  for await (const { workflowId, runId, status } of client.workflow.list({ query })) {
    if (runs.length === MAX_LISTED) throw new Error(`more than ${MAX_LISTED} workflows`);
    runs.push({ workflowId, runId, status: status.name });
  }
  return runs;
}

/** The newest run, or the given one; null when Temporal knows none. */
async function findRun(
  client: Client,
  workflowId: string,
  runId?: string,
): Promise<{ readonly status: string; readonly closedAtMs: number } | null> {
  try {
    const handle = client.workflow.getHandle(workflowId, runId);
    const deadlineMs = Date.now() + CALL_DEADLINE_MS;
    const found = await client.withDeadline(deadlineMs, () => handle.describe());
    return { status: found.status.name, closedAtMs: found.closeTime?.getTime() ?? 0 };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

function orderOf(workflowId: string): OrderId | null {
  const id = workflowId.slice(`${CHECKOUT_WORKFLOW}/`.length);
  return isOrderId(id) && checkoutWorkflowId(id) === workflowId ? id : null;
}
