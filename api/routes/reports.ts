/** Routes of reports: how one is requested. What all jobs have is in jobs.ts. */
import { createRoute } from '@hono/zod-openapi';
import type { Services } from '../context.ts';
import { idempotencyHeader } from '../schemas/common.ts';
import { responseHeaders } from '../schemas/conditions.ts';
import { reportSchema } from '../schemas/jobs.ts';
import { problems } from '../schemas/problems.ts';
import { requestReportBody } from '../schemas/reports.ts';
import { jobRoutes, requestJob } from './jobs.ts';

const PATH = '/v1/reports';
const TAG = 'Reports';

export function reportRoutes(services: Services) {
  const routes = { kind: 'report', path: PATH, tag: TAG, schema: reportSchema } as const;
  return jobRoutes(services, routes).openapi(requestRoute, (c) => {
    const body = c.req.valid('json');
    const { type, notify_email: notifyEmail, from, to, time_zone: given } = body;
    const params = { from, to, time_zone: given ?? services.timeZone };
    return requestJob<typeof reportSchema>(services, c, {
      path: PATH,
      key: c.req.valid('header')['idempotency-key'],
      body,
      draft: () => ({ kind: 'report', type, params, notifyEmail }),
    });
  });
}

const requestRoute = createRoute({
  method: 'post',
  path: PATH,
  operationId: 'requestReport',
  'x-role': 'operator',
  tags: [TAG],
  summary: 'Request a report',
  description:
    'It is made in the background. Follow it at `Location`; its `files` have links once it has succeeded.',
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: requestReportBody } } },
  },
  responses: {
    202: {
      description: 'Accepted. It begins once Temporal is available. `Location` is the report.',
      headers: responseHeaders('Location'),
      content: { 'application/json': { schema: reportSchema } },
    },
    ...problems('too_many_jobs'),
  },
});
