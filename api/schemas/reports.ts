/** Requests of reports on the wire. */
import { z } from '@hono/zod-openapi';
import { MAX_REPORT_DAYS, REPORT_SETTLED_MS, REPORT_TYPES } from '../../domain/reports.ts';
import { isTimeZone } from '../../domain/time-zone.ts';
import { time } from './common.ts';
import { email } from './customers.ts';

const DAY_MS = 86_400_000;

export const requestReportBody = z
  .strictObject({
    type: z.enum(REPORT_TYPES).openapi({
      description:
        '`sales_by_day`: orders placed in the window and not cancelled, per day and product. ' +
        '`stock_movements`, `refunds`, `reconciliation` (discrepancies): one row each.',
    }),
    from: time,
    to: time.openapi({
      description: `Exclusive. At least a minute ago, and at most ${MAX_REPORT_DAYS} days after \`from\`.`,
    }),
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, 'Not an IANA time zone, such as Europe/Berlin')
      .optional()
      .openapi({
        description: "Where the days of `sales_by_day` begin. Default: the shop's time zone.",
        example: 'Europe/Berlin',
      }),
    notify_email: email.optional().openapi({
      description: 'Who gets a mail with the links when the report has ended.',
    }),
  })
  .superRefine(({ from, to }, context) => {
    const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
    const refuse = (message: string): void =>
      context.addIssue({ code: 'custom', path: ['to'], message });
    if (toMs <= fromMs) refuse('Must be after `from`');
    else if (toMs - fromMs > MAX_REPORT_DAYS * DAY_MS) {
      refuse(`At most ${MAX_REPORT_DAYS} days after \`from\``);
    } else if (toMs > Date.now() - REPORT_SETTLED_MS) {
      refuse('At least a minute ago: a report is of a time that has ended');
    }
  })
  .openapi('RequestReport', {
    example: {
      type: 'sales_by_day',
      from: '2026-01-01T00:00:00Z',
      to: '2026-02-01T00:00:00Z',
    },
  });
