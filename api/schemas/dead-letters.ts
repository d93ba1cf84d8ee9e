/** Dead letters on the wire. */
import { z } from '@hono/zod-openapi';
import { isStorable } from '../../domain/text.ts';
import { limit, listOf, pageOfIds, text } from './common.ts';

export const SOURCES = ['delivery', 'checkout', 'notification', 'refund', 'webhook'] as const;
const STATUSES = ['open', 'redriven', 'resolved', 'discarded'] as const;
const MAX_RATE_PER_SECOND = 500;

/** Text to compare with: whatever can be stored. */
const filter = (minLength: number, maxLength: number) =>
  z
    .string()
    .min(minLength)
    .max(maxLength)
    .refine(isStorable, 'The text contains NUL or half of a surrogate pair')
    .openapi({ pattern: String.raw`^[^\u0000]*$` });

/** Stored fingerprints are shorter than this. */
export const fingerprint = filter(1, 200);

export const deadLetterSchema = z
  .object({
    object: z.literal('dead_letter'),
    id: z.string(),
    source: z.enum(SOURCES),
    subject: z.string().openapi({
      description: 'The subscription, checkout step, notification or refund.',
    }),
    order_id: z.string().nullable(),
    event_id: z.string().nullable(),
    message: z.record(z.string(), z.unknown()),
    error: z.string(),
    fingerprint: z.string().openapi({ description: 'Equal for failures with the same cause.' }),
    retry_count: z.number().int(),
    first_failed_at: z.iso.datetime(),
    last_failed_at: z.iso.datetime(),
    status: z.enum(STATUSES),
    actor: z.string().nullable().openapi({ description: 'The API key of the last decision.' }),
    note: z.string().nullable(),
    decided_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('DeadLetter');
export type DeadLetterBody = z.output<typeof deadLetterSchema>;

export const deadLetterListSchema = listOf(deadLetterSchema);
export const deadLetterParam = z.object({
  id: z.string().max(100).openapi({ example: 'dl_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
});
export const deadLetterListQuery = pageOfIds('deadLetter').extend({
  status: z.enum(STATUSES).optional(),
  source: z.enum(SOURCES).optional(),
  subject: filter(0, 200).optional(),
  order_id: filter(0, 100).optional(),
  fingerprint: fingerprint.optional(),
});

const note = text(500);

export const redriveBody = z
  .strictObject({
    action: z
      .enum(['retry', 'skip', 'cancel'])
      .optional()
      .openapi({
        description:
          'Default: retry. For a checkout step also skip, which treats it as settled manually and ' +
          'requires a note, or cancel, which cancels the order.',
      }),
    note: note.optional(),
  })
  .refine(({ action, note: reason }) => action !== 'skip' || reason !== undefined, {
    path: ['note'],
    error: 'A skip requires a note that says how the step was settled manually',
  })
  .openapi('RedriveDeadLetter', {
    example: { action: 'retry', note: 'the provider has mended it' },
    anyOf: [{ properties: { action: { enum: ['retry', 'cancel'] } } }, { required: ['note'] }],
  });

export const discardBody = z
  .strictObject({ note })
  .openapi('DiscardDeadLetter', { example: { note: 'the receiver is gone' } });

export const redriveManyBody = z
  .strictObject({
    fingerprint,
    rate: z.number().int().min(1).max(MAX_RATE_PER_SECOND).openapi({
      description: 'The maximum number of dead letters per second.',
    }),
    dry_run: z.boolean().default(false),
    note: note.optional(),
  })
  .openapi('RedriveDeadLetters', {
    example: { fingerprint: 'capturePayment: outcome unknown', rate: 5, dry_run: true },
  });

const count = z.number().int();
const matching = count.openapi({ description: 'The open dead letters with this fingerprint.' });
const redriving = count.openapi({
  description: 'How many of them this call redrives, oldest first, at most 10,000.',
});

export const redriveDryRunSchema = z
  .object({
    object: z.literal('redrive'),
    fingerprint: z.string(),
    rate: count,
    dry_run: z.literal(true),
    matching,
    redriving,
  })
  .openapi('RedriveDryRun');

export const redriveSchema = z
  .object({
    object: z.literal('redrive'),
    id: z.string().openapi({ example: 'rdr_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
    status: z.enum(['running', 'completed', 'stopped', 'interrupted']).openapi({
      description:
        '`stopped`: Temporal was unavailable, or the process was shut down. `interrupted`: the ' +
        'process has written nothing for a minute; probably it was killed. The rest is still open.',
    }),
    fingerprint: z.string(),
    rate: count,
    dry_run: z.literal(false),
    actor: z.string().openapi({ description: 'The API key that started it.' }),
    matching,
    redriving,
    redriven: count.openapi({ description: 'Whose retry has started.' }),
    failed: count.openapi({ description: 'Whose retry could not start: they are still open.' }),
    started_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .openapi('Redrive');
export type RedriveBody = z.output<typeof redriveSchema>;
export const redriveListSchema = listOf(redriveSchema);
export const redriveListQuery = pageOfIds('redrive');

export const deadLetterGroupSchema = z
  .object({
    object: z.literal('dead_letter_group'),
    fingerprint: z.string(),
    source: z.enum(SOURCES),
    subject: z.string(),
    error: z.string().openapi({ description: 'Of the newest one.' }),
    open: count.openapi({ description: 'The number of open dead letters.' }),
    first_failed_at: z.iso.datetime(),
    last_failed_at: z.iso.datetime(),
    samples: z
      .array(z.object({ id: z.string(), order_id: z.string().nullable() }))
      .openapi({ description: 'The newest three.' }),
  })
  .openapi('DeadLetterGroup');
export type DeadLetterGroupBody = z.output<typeof deadLetterGroupSchema>;
export const deadLetterGroupListSchema = listOf(deadLetterGroupSchema);
export const deadLetterGroupListQuery = z.object({ limit: limit(100, 50) });

export const discardManyBody = z
  .strictObject({ fingerprint, note, dry_run: z.boolean().default(false) })
  .openapi('DiscardDeadLetters', {
    example: { fingerprint: 'analytics: HTTP N', note: 'the receiver is gone', dry_run: true },
  });

export const discardManySchema = z
  .object({
    object: z.literal('discard'),
    fingerprint: z.string(),
    dry_run: z.boolean(),
    matching,
    discarded: count.openapi({
      description: 'With `dry_run`: how many would be. At most 10,000 in one call.',
    }),
    refused: count.openapi({
      description: 'Still open, because an order or a refund waits for a decision about them.',
    }),
  })
  .openapi('Discard');
