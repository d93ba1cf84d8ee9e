/** What an operator sees of the Temporal Schedules of this namespace, and does with one. */
import {
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
} from '@temporalio/client';
import { createTemporalDeadline, type Rejected, type Unavailable } from './deadline.ts';

export interface Schedule {
  readonly id: string;
  /** What a run does, in words. */
  readonly summary: string;
  readonly paused: boolean;
  /** The reason of the pause, or what was last done. */
  readonly note: string | null;
  /** ISO 8601, soonest first; empty while it is paused. */
  readonly nextAt: readonly string[];
  /** The latest runs, newest first. */
  readonly recent: readonly { readonly startedAt: string; readonly workflowId: string }[];
}

export type ScheduleAction =
  { readonly kind: 'trigger' | 'resume' } | { readonly kind: 'pause'; readonly note: string };

type Failed = Unavailable | Rejected;

export interface ScheduleClient {
  /** All of them, by id. */
  list(): Promise<{ readonly kind: 'listed'; readonly schedules: readonly Schedule[] } | Failed>;
  find(id: string): Promise<Found | Failed>;
  /** Safe to repeat: a run that is triggered while one is running is skipped. Gives it as it is then. */
  act(id: string, action: ScheduleAction): Promise<Found | Failed>;
}

type Found =
  { readonly kind: 'found'; readonly schedule: Schedule } | { readonly kind: 'not_found' };

/** Temporal asks a schedule's worker that has left for 5 s before it asks another one. */
const DEADLINE_MS = 8_000;
/** We make a handful; a namespace with more than these is not ours alone. */
const MOST = 100;
const NEXT = 3;
const RESUMED = 'Resumed by an operator';

export function createScheduleClient(options: {
  readonly client: () => Client | null;
}): ScheduleClient {
  const withDeadline = createTemporalDeadline(options.client);
  return {
    list: () =>
      withDeadline(DEADLINE_MS, async (client) => {
        // What the list says of each is seconds old.
        const found = await Promise.all((await idsIn(client)).map((id) => describe(client, id)));
        return { kind: 'listed', schedules: found.filter((each) => each !== null) };
      }),
    find: (id) =>
      withDeadline(DEADLINE_MS, async (client) => foundOr404(await describe(client, id))),
    act: (id, action) =>
      withDeadline(DEADLINE_MS, async (client) => {
        await orNull(perform(client, id, action));
        return foundOr404(await describe(client, id));
      }),
  };
}

async function idsIn(client: Client): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list({ pageSize: MOST })) {
    ids.push(scheduleId);
    if (ids.length === MOST) break;
  }
  return ids.toSorted();
}

async function perform(client: Client, id: string, action: ScheduleAction): Promise<void> {
  const handle = client.schedule.getHandle(id);
  switch (action.kind) {
    case 'trigger':
      // Left out, it would be ALLOW_ALL.
      return handle.trigger(ScheduleOverlapPolicy.SKIP);
    case 'pause':
      return handle.pause(action.note);
    case 'resume':
      return handle.unpause(RESUMED);
  }
}

async function describe(client: Client, id: string): Promise<Schedule | null> {
  const found = await orNull(client.schedule.getHandle(id).describe());
  return found && scheduleOf(found);
}

function foundOr404(schedule: Schedule | null): Found {
  return schedule === null ? { kind: 'not_found' } : { kind: 'found', schedule };
}

/** Null for a schedule that does not exist. */
async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

function scheduleOf({ scheduleId, action, state, info }: ScheduleDescription): Schedule {
  return {
    id: scheduleId,
    summary: action.staticSummary ?? '',
    paused: state.paused,
    note: state.note === undefined || state.note === '' ? null : state.note,
    nextAt: state.paused ? [] : info.nextActionTimes.slice(0, NEXT).map((at) => at.toISOString()),
    recent: info.recentActions.toReversed().map(({ takenAt, action: { workflow } }) => ({
      startedAt: takenAt.toISOString(),
      workflowId: workflow.workflowId,
    })),
  };
}
