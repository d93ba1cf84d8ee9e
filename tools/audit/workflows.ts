/**
 * Orders and their workflows at Temporal: one each, and none without the other. Temporal's list is
 * delayed, so each suspect is looked up by its id before it is reported.
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
  /** Throws when there is no connection to Temporal. */
  readonly client: () => Client;
  /** How long an order may be placed before its workflow runs. Default 60 s. */
  readonly graceMs?: number | undefined;
}

interface Context extends Omit<WorkflowChecksOptions, 'client'> {
  readonly client: Client;
}

interface Run {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: string;
}

const GRACE_MS = 60_000;
/** With more than this the check fails: it never passes over some of them. */
const MAX_LISTED = 100_000;
const MAX_IN_PROGRESS = 20_000;
const MAX_LOOKED_UP = 200;
/** For all calls of a check, and for one. */
const CHECK_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 5_000;
/** Another run may follow one of these. */
const ABANDONED = ['FAILED', 'TERMINATED', 'TIMED_OUT', 'CONTINUED_AS_NEW'];

export function workflowChecks(options: WorkflowChecksOptions): readonly Check[] {
  const inTime = async (find: (context: Context) => Promise<readonly Violation[]>) => {
    const client = options.client();
    return client.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () => find({ ...options, client }));
  };
  return [
    {
      name: 'one_workflow_per_order',
      title: 'Each order has at most one checkout workflow, and each workflow its order',
      run: () => inTime(findUnexpectedRuns),
    },
    {
      name: 'moving_orders_run',
      title: 'Every order in progress has a running workflow',
      run: () => inTime(findOrphans),
    },
  ];
}

async function findUnexpectedRuns(context: Context): Promise<readonly Violation[]> {
  const runs = await listRuns(context.client);
  return [...(await findOrderless(context, runs)), ...(await findDuplicates(context, runs))];
}

/** An order is recorded before its workflow is started. */
async function findOrderless({ db }: Context, runs: readonly Run[]): Promise<readonly Violation[]> {
  const ids = [...new Set(runs.map(({ workflowId }) => orderOf(workflowId) ?? workflowId))];
  const orders = await findAuditedOrders(db, ids);
  const orderless = ids.filter((id) => orders.get(id)?.wasPlaced !== true);
  return orderless.map((id) => {
    const order = orders.get(id);
    const detail = order ? `its order is only ${order.status}` : 'there is no such order';
    return { subject: isOrderId(id) ? checkoutWorkflowId(id) : id, detail };
  });
}

async function findDuplicates(
  { client }: Context,
  runs: readonly Run[],
): Promise<readonly Violation[]> {
  const byId = new Map<string, Run[]>();
  for (const run of runs) {
    if (ABANDONED.includes(run.status)) continue;
    byId.set(run.workflowId, [...(byId.get(run.workflowId) ?? []), run]);
  }
  const suspects = [...byId].filter(([, of]) => of.length > 1).slice(0, MAX_LOOKED_UP);
  const violations: Violation[] = [];
  for (const [subject, of] of suspects) {
    const found = await Promise.all(of.map(({ runId }) => findRun(client, subject, runId)));
    const statuses = found.flatMap((run) => (run === null ? [] : [run.status]));
    if (statuses.filter((status) => !ABANDONED.includes(status)).length < 2) continue;
    violations.push({ subject, detail: `runs: ${statuses.join(', ')}` });
  }
  return violations;
}

async function findOrphans({ db, client, graceMs = GRACE_MS }: Context) {
  const listOrders = () => listMovingOrders(db, { graceMs, limit: MAX_IN_PROGRESS + 1 });
  const orders = await listOrders();
  if (orders.length > MAX_IN_PROGRESS) {
    throw new Error(`more than ${MAX_IN_PROGRESS} orders are in progress`);
  }
  if (orders.length === 0) return [];
  const running = new Set((await listRuns(client, RUNNING)).map(({ workflowId }) => workflowId));
  const suspects = orders.filter((id) => !running.has(checkoutWorkflowId(id)));
  const violations: Violation[] = [];
  for (const id of suspects.slice(0, MAX_LOOKED_UP)) {
    const run = await findRun(client, checkoutWorkflowId(id));
    // One that has just closed: the order is about to be settled, or the sweep will find it.
    if (run?.status === 'RUNNING' || (run && run.closedAtMs > Date.now() - graceMs)) continue;
    const status = run?.status.toLowerCase() ?? 'missing';
    violations.push({ subject: id, detail: `workflow ${status}` });
  }
  if (violations.length === 0) return [];
  // Some may have been settled in the meantime.
  const inProgress = new Set<string>(await listOrders());
  return violations.filter(({ subject }) => inProgress.has(subject));
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

/** The newest run, or the given one; null when there is none. */
async function findRun(
  client: Client,
  workflowId: string,
  runId?: string,
): Promise<{ readonly status: string; readonly closedAtMs: number } | null> {
  try {
    const handle = client.workflow.getHandle(workflowId, runId);
    const deadlineMs = Date.now() + CALL_TIMEOUT_MS;
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
