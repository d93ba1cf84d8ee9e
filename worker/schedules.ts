/**
 * The Temporal Schedules: visible, pausable and manually triggerable in the Web UI. Every worker
 * creates or updates them to the definitions below, and keeps a pause that an operator set.
 */
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
import type { Logger } from 'pino';
import { repeat } from '../services/repeat.ts';
import { EVENTS_TASK_QUEUE } from '../workflows/events/contract.ts';
import {
  RECONCILE_WORKFLOW,
  SWEEP_WORKFLOW,
  type ReconcileScope,
} from '../workflows/operations/contract.ts';

export interface SchedulesOptions {
  readonly client: () => Client | null;
  readonly log: Logger;
}

const RETRY_EVERY_MS = 2_000;
const DEADLINE_MS = 5_000;

/** Starts immediately and retries until all schedules exist. `stop` waits for the current attempt. */
export function keepSchedules({ client, log }: SchedulesOptions): { stop(): Promise<void> } {
  return repeat(RETRY_EVERY_MS, async () => {
    const current = client();
    if (current === null) return 'again';
    try {
      await ensureSchedules(current);
      return 'done';
    } catch (error) {
      log.debug({ err: error }, 'schedules not ensured yet');
      return 'again';
    }
  });
}

/** Creates missing schedules and updates existing ones. Safe to repeat. */
export async function ensureSchedules(client: Client): Promise<void> {
  for (const schedule of SCHEDULES) {
    await client.withDeadline(Date.now() + DEADLINE_MS, () => ensure(client, schedule));
  }
}

async function ensure(client: Client, schedule: ScheduleOptions): Promise<void> {
  try {
    await client.schedule.create(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, action, policies } = schedule;
    const handle = client.schedule.getHandle(schedule.scheduleId);
    await handle.update(({ state }) => ({ spec, action, ...(policies && { policies }), state }));
  }
}

/** Each run covers everything that is due, so after an outage the latest run is enough. */
const POLICIES = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' } as const;

const SCHEDULES: readonly ScheduleOptions[] = [
  {
    scheduleId: 'sweep',
    spec: { intervals: [{ every: '1 minute' }] },
    policies: POLICIES,
    action: {
      type: 'startWorkflow',
      workflowType: SWEEP_WORKFLOW,
      workflowId: 'sweep',
      taskQueue: EVENTS_TASK_QUEUE,
      // A sweep that no worker picks up would block the following ones.
      workflowExecutionTimeout: '5 minutes',
      staticSummary: 'Expire, resume or escalate stuck orders; purge expired rows',
    },
  },
  reconciliation('recent', { intervals: [{ every: '1 hour', offset: '7 minutes' }] }),
  reconciliation('full', { calendars: [{ hour: 3, minute: 37 }] }),
];

function reconciliation(scope: ReconcileScope, spec: ScheduleOptions['spec']): ScheduleOptions {
  return {
    scheduleId: `reconcile-${scope}`,
    spec,
    policies: POLICIES,
    action: {
      type: 'startWorkflow',
      workflowType: RECONCILE_WORKFLOW,
      workflowId: `reconcile-${scope}`,
      taskQueue: EVENTS_TASK_QUEUE,
      args: [{ scope }],
      staticSummary: `Compare our records with the providers': ${scope}`,
    },
  };
}
