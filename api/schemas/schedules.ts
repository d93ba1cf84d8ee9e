/** Temporal Schedules on the wire. */
import { z } from '@hono/zod-openapi';
import { listOf, text } from './common.ts';

export const scheduleSchema = z
  .object({
    object: z.literal('schedule'),
    id: z.string().openapi({ example: 'reconcile-full' }),
    summary: z.string().openapi({ description: 'What a run does.' }),
    paused: z.boolean(),
    note: z.string().nullable().openapi({ description: 'Why it is paused.' }),
    next_at: z
      .array(z.iso.datetime())
      .openapi({ description: 'The next runs; empty while it is paused.' }),
    recent: z
      .array(z.object({ started_at: z.iso.datetime(), workflow_id: z.string() }))
      .openapi({ description: 'The latest runs, newest first.' }),
  })
  .openapi('Schedule');
export type ScheduleBody = z.output<typeof scheduleSchema>;

export const scheduleListSchema = listOf(scheduleSchema);

export const scheduleParam = z.object({
  id: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/)
    .openapi({ example: 'sweep' }),
});

export const pauseScheduleBody = z
  .strictObject({
    note: text(200).openapi({ description: 'Shown to every operator; without personal data.' }),
  })
  .openapi('PauseSchedule', { example: { note: 'the warehouse is closed until Monday' } });
