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
import type { ReportType } from '../domain/reports.ts';
import { itemLoop } from '../services/items.ts';
import { repeat } from '../services/repeat.ts';
import { eachItem } from '../telemetry/items.ts';
import { isUnavailable } from '../temporal/deadline.ts';
import { EVENTS_TASK_QUEUE } from '../workflows/events/contract.ts';
import { REQUEST_REPORT_WORKFLOW } from '../workflows/jobs/contract.ts';
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
  /** IANA name: when it is night in the shop. */
  readonly timeZone: string;
}

type Connected = Omit<SchedulesOptions, 'client'> & { readonly client: Client };

const TICK_MS = 2_000;
/** A deleted schedule is restored within a minute. */
const CHECK_EVERY_MS = 20_000;
const DEADLINE_MS = 5_000;

/**
 * Creates or updates all schedules once, then restores those that are deleted. Starts immediately.
 * `stop` waits for the current attempt.
 */
export function keepSchedules(options: SchedulesOptions): { stop(): Promise<void> } {
  const { log, checkEveryMs = CHECK_EVERY_MS } = options;
  let isEnsured = false;
  let dueAtMs = 0;
  return repeat(TICK_MS, async () => {
    const client = options.client();
    if (client === null || performance.now() < dueAtMs) return 'again';
    try {
      const each = isEnsured ? restoreSchedules : ensureSchedules;
      isEnsured = (await each({ ...options, client })) === 0;
      if (isEnsured) dueAtMs = performance.now() + checkEveryMs;
    } catch (error) {
      log.debug({ err: error }, 'schedules not ensured yet');
    }
    return 'again';
  });
}

/** Creates missing schedules and updates existing ones. Safe to repeat. Returns how many failed. */
export function ensureSchedules(options: Connected): Promise<number> {
  return eachSchedule(options, (schedule) => ensure(options.client, schedule));
}

/** Creates missing schedules only: what an operator changed in an existing one is kept. */
export function restoreSchedules(options: Connected): Promise<number> {
  const { client, log } = options;
  return eachSchedule(options, async (schedule) => {
    if (await create(client, schedule))
      log.info({ schedule: schedule.scheduleId }, 'schedule restored');
  });
}

async function eachSchedule(
  { client, log, timeZone }: Connected,
  work: (schedule: ScheduleOptions) => Promise<void>,
): Promise<number> {
  const loop = itemLoop({ log }, 'schedules', ({ scheduleId }: ScheduleOptions) => scheduleId);
  const failed = await eachItem(
    schedulesOf(timeZone),
    { ...loop, isOutage: isUnavailable },
    (schedule) => client.withDeadline(Date.now() + DEADLINE_MS, () => work(schedule)),
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

function schedulesOf(timeZone: string): readonly ScheduleOptions[] {
  return [...SCHEDULES, ...NIGHTLY_REPORTS.map((type) => nightlyReport(type, timeZone))];
}

const NIGHTLY_REPORTS = ['sales_by_day', 'refunds'] as const satisfies readonly ReportType[];
/** An hour that every day has, also the one on which clocks are set forward. */
const NIGHT = { hour: 4, minute: 15 } as const;

/** The report of the day before, by the shop's clock. */
function nightlyReport(type: ReportType, timezone: string): ScheduleOptions {
  const scheduleId = `report-${type.replaceAll('_', '-')}`;
  return {
    scheduleId,
    spec: { calendars: [NIGHT], timezone },
    // Later in the day the day before is still the same.
    policies: { ...POLICIES, catchupWindow: '12 hours' },
    action: {
      type: 'startWorkflow',
      workflowType: REQUEST_REPORT_WORKFLOW,
      workflowId: scheduleId,
      taskQueue: EVENTS_TASK_QUEUE,
      args: [{ type }],
      staticSummary: `Request the report of the day before: ${type.replaceAll('_', ' ')}`,
    },
  };
}

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
