/** Routes of the Temporal Schedules: list, trigger, pause, resume. They work while Temporal does. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { recordAction } from '../../prisma/access/operator-actions.ts';
import type { Schedule, ScheduleAction, ScheduleClient } from '../../temporal/schedule-client.ts';
import type { Services } from '../context.ts';
import { ProblemError } from '../http/problems.ts';
import { onInvalid } from '../http/respond.ts';
import { operatorOf, type ApiEnv } from '../middleware/request.ts';
import { problems } from '../schemas/problems.ts';
import {
  pauseScheduleBody,
  scheduleListSchema,
  scheduleParam,
  scheduleSchema,
  type ScheduleBody,
} from '../schemas/schedules.ts';

const RETRY_SECONDS = 10;

export function scheduleRoutes(services: Services) {
  return new OpenAPIHono<ApiEnv>({ defaultHook: onInvalid })
    .openapi(listRoute, async (c) => {
      const outcome = await services.schedules.list();
      if (outcome.kind !== 'listed') throw unavailable('The schedules cannot be read.');
      const data = outcome.schedules.map(scheduleBody);
      return c.json({ object: 'list' as const, url: '/v1/schedules', data, has_more: false }, 200);
    })
    .openapi(triggerRoute, async (c) =>
      c.json(await act(services, c, { ...c.req.valid('param'), kind: 'trigger' }), 202),
    )
    .openapi(pauseRoute, async (c) => {
      const action = { ...c.req.valid('param'), ...c.req.valid('json'), kind: 'pause' } as const;
      return c.json(await act(services, c, action), 200);
    })
    .openapi(resumeRoute, async (c) =>
      c.json(await act(services, c, { ...c.req.valid('param'), kind: 'resume' }), 200),
    );
}

const tags = ['Schedules'];
const scheduleResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: scheduleSchema } },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/schedules',
  operationId: 'listSchedules',
  'x-role': 'operator',
  tags,
  summary: 'List the scheduled work, with its next and latest runs',
  responses: {
    200: {
      description: 'All schedules, by id.',
      content: { 'application/json': { schema: scheduleListSchema } },
    },
    ...problems('schedules_unavailable'),
  },
});

const triggerRoute = createRoute({
  method: 'post',
  path: '/v1/schedules/{id}/trigger',
  operationId: 'triggerSchedule',
  'x-role': 'operator',
  tags,
  summary: 'Run scheduled work now, also while it is paused',
  description: 'Skipped while a run is under way. Safe to repeat.',
  request: { params: scheduleParam },
  responses: {
    202: scheduleResponse('Asked for. `recent` shows the run within moments.'),
    ...problems('schedule_not_found', 'schedules_unavailable'),
  },
});

const pauseRoute = createRoute({
  method: 'post',
  path: '/v1/schedules/{id}/pause',
  operationId: 'pauseSchedule',
  'x-role': 'operator',
  tags,
  summary: 'Pause scheduled work, until it is resumed',
  description: 'A run in progress continues. A new deployment keeps the pause.',
  request: {
    params: scheduleParam,
    body: { required: true, content: { 'application/json': { schema: pauseScheduleBody } } },
  },
  responses: {
    200: scheduleResponse('Paused.'),
    ...problems('schedule_not_found', 'schedules_unavailable'),
  },
});

const resumeRoute = createRoute({
  method: 'post',
  path: '/v1/schedules/{id}/resume',
  operationId: 'resumeSchedule',
  'x-role': 'operator',
  tags,
  summary: 'Resume scheduled work; what was missed is not run',
  request: { params: scheduleParam },
  responses: {
    200: scheduleResponse('Resumed.'),
    ...problems('schedule_not_found', 'schedules_unavailable'),
  },
});

/** Recorded before Temporal is asked: what an operator does is never without an entry. */
async function act(
  { db, schedules }: Pick<Services, 'db' | 'schedules'>,
  c: Context<ApiEnv>,
  { id, ...action }: ScheduleAction & { readonly id: string },
): Promise<ScheduleBody> {
  await requireSchedule(schedules.find(id));
  const by = operatorOf(c);
  await db.$transaction((tx) =>
    recordAction(tx, by, { action: `schedule.${DONE[action.kind]}`, subject: id }),
  );
  return scheduleBody(await requireSchedule(schedules.act(id, action)));
}

/** As the audit log names it. */
const DONE = { trigger: 'triggered', pause: 'paused', resume: 'resumed' } as const;

async function requireSchedule(found: ReturnType<ScheduleClient['find']>): Promise<Schedule> {
  const outcome = await found;
  switch (outcome.kind) {
    case 'found':
      return outcome.schedule;
    case 'not_found':
      throw new ProblemError({
        code: 'schedule_not_found',
        detail: 'No schedule has this id. GET /v1/schedules lists them.',
      });
    case 'unavailable':
      throw unavailable('Temporal does not answer. The call is safe to repeat.');
    case 'rejected':
      throw unavailable('Temporal refuses the call.');
  }
}

function unavailable(detail: string): ProblemError {
  return new ProblemError({
    code: 'schedules_unavailable',
    detail,
    retryAfterSeconds: RETRY_SECONDS,
  });
}

function scheduleBody(schedule: Schedule): ScheduleBody {
  const { id, summary, paused, note, nextAt, recent } = schedule;
  return {
    object: 'schedule',
    id,
    summary,
    paused,
    note,
    next_at: [...nextAt],
    recent: recent.map(({ startedAt, workflowId }) => {
      return { started_at: startedAt, workflow_id: workflowId };
    }),
  };
}
