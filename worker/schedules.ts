/**
 * The Temporal Schedules: visible, pausable and manually triggerable in the Web UI. Every worker
 * creates or updates them to the definitions below, keeps a pause that an operator set, and restores
 * those that are deleted.
 */
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
import type { Logger } from 'pino';
import { itemLoop } from '../services/items.ts';
import { repeat } from '../services/repeat.ts';
import { eachItem } from '../telemetry/items.ts';
import { isUnavailable } from '../temporal/deadline.ts';
import { EVENTS_TASK_QUEUE } from '../workflows/events/contract.ts';
import {
  RECONCILE_WORKFLOW,
  SWEEP_WORKFLOW,
  type ReconcileScope,
} from '../workflows/operations/contract.ts';

export interface SchedulesOptions {
  readonly client: () => Client | null;
  readonly log: Logger;
  /** How often deleted ones are looked for. */
  readonly checkEveryMs?: number;
}

const TICK_MS = 2_000;
/** A deleted schedule is restored within a minute. */
const CHECK_EVERY_MS = 20_000;
const DEADLINE_MS = 5_000;

/**
 * Creates or updates all schedules once, then restores those that are deleted. Starts immediately.
 * `stop` waits for the current attempt.
 */
export function keepSchedules(options: SchedulesOptions): { stop(): Promise<void> } {
  const { client, log, checkEveryMs = CHECK_EVERY_MS } = options;
  let isEnsured = false;
  let dueAtMs = 0;
  return repeat(TICK_MS, async () => {
    const current = client();
    if (current === null || performance.now() < dueAtMs) return 'again';
    try {
      const each = isEnsured ? restoreSchedules : ensureSchedules;
      isEnsured = (await each(current, log)) === 0;
      if (isEnsured) dueAtMs = performance.now() + checkEveryMs;
    } catch (error) {
      log.debug({ err: error }, 'schedules not ensured yet');
    }
    return 'again';
  });
}

/** Creates missing schedules and updates existing ones. Safe to repeat. Returns how many failed. */
export function ensureSchedules(client: Client, log: Logger): Promise<number> {
  return eachSchedule(client, log, (schedule) => ensure(client, schedule));
}

/** Creates missing schedules only: what an operator changed in an existing one is kept. */
export function restoreSchedules(client: Client, log: Logger): Promise<number> {
  return eachSchedule(client, log, async (schedule) => {
    if (await create(client, schedule))
      log.info({ schedule: schedule.scheduleId }, 'schedule restored');
  });
}

async function eachSchedule(
  client: Client,
  log: Logger,
  work: (schedule: ScheduleOptions) => Promise<void>,
): Promise<number> {
  const loop = itemLoop({ log }, 'schedules', ({ scheduleId }: ScheduleOptions) => scheduleId);
  const failed = await eachItem(SCHEDULES, { ...loop, isOutage: isUnavailable }, (schedule) =>
    client.withDeadline(Date.now() + DEADLINE_MS, () => work(schedule)),
  );
  return failed.length;
}

async function ensure(client: Client, schedule: ScheduleOptions): Promise<void> {
  if (await create(client, schedule)) return;
  const { spec, action, policies } = schedule;
  const handle = client.schedule.getHandle(schedule.scheduleId);
  await handle.update(({ state }) => ({ spec, action, ...(policies && { policies }), state }));
}

/** False when it exists. */
async function create(client: Client, schedule: ScheduleOptions): Promise<boolean> {
  try {
    await client.schedule.create(schedule);
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
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
