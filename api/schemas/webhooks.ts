/** Webhook endpoints and deliveries on the wire. */
import { z } from '@hono/zod-openapi';
import { EVENT_TYPES } from '../../domain/order.ts';
import { listOf, pageLimit, pageQuery } from './common.ts';

const types = z
  .array(z.enum(EVENT_TYPES))
  .max(EVENT_TYPES.length)
  .transform((given) => [...new Set(given)])
  .openapi({ description: 'Empty: every type.', example: ['order.placed', 'order.shipped'] });
const url = z
  .string()
  .min(1)
  .max(2_048)
  .openapi({ description: 'https, port 443 or 8443, and on the public Internet.' });

/** A garbled id is as unknown as one that never was. */
export const endpointParam = z.object({ id: z.string() });

export const createEndpointBody = z
  .strictObject({ url, types: types.default([]) })
  .openapi('CreateWebhookEndpoint');

export const changeEndpointBody = z
  .strictObject({
    url: url.optional(),
    types: types.optional(),
    status: z.enum(['enabled', 'disabled']).optional(),
  })
  .openapi('ChangeWebhookEndpoint');

export const endpointSchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_endpoint'),
    url: z.string(),
    types: z.array(z.string()),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z.string().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint');
export type EndpointBody = z.output<typeof endpointSchema>;

export const createdEndpointSchema = endpointSchema
  .extend({ secret: z.string().openapi({ description: 'Shown here and never again.' }) })
  .openapi('CreatedWebhookEndpoint');

export const rotatedSecretSchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_secret'),
    secret: z.string().openapi({ description: 'Shown here and never again.' }),
    previous_secret_expires_at: z.iso.datetime().openapi({
      description: 'Until then every webhook is signed with both.',
    }),
  })
  .openapi('RotatedWebhookSecret');

export const endpointListQuery = pageQuery;
export const endpointListSchema = listOf(endpointSchema);

export const deliveryListQuery = z.object({
  limit: pageLimit,
  starting_after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  event_id: z.uuid().optional(),
});

const attemptFields = {
  outcome: z.enum(['delivered', 'failed']),
  status: z.number().int().nullable().openapi({ description: 'Null when there was no answer.' }),
  latency_ms: z.number().int(),
  error: z.string().nullable(),
  response: z.string().nullable().openapi({ description: 'Its first 1024 characters.' }),
};

export const deliverySchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_delivery'),
    event_id: z.string(),
    event_type: z.string(),
    ...attemptFields,
    attempted_at: z.iso.datetime(),
  })
  .openapi('WebhookDelivery');
export const deliveryListSchema = listOf(deliverySchema);

const time = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0, 'There were no events before 1970');

export const redeliverBody = z
  .strictObject({ event_id: z.uuid().optional(), from: time.optional(), to: time.optional() })
  .refine(
    ({ event_id: id, from, to }) =>
      id === undefined
        ? from !== undefined && to !== undefined
        : from === undefined && to === undefined,
    'Send either event_id, or from and to.',
  )
  .refine(
    ({ from, to }) => from === undefined || to === undefined || Date.parse(from) < Date.parse(to),
    { path: ['to'], message: 'The span ends before it begins.' },
  )
  .openapi('Redeliver');

export const redeliverySchema = z
  .object({
    object: z.literal('webhook_redelivery'),
    endpoint_id: z.string(),
    requested: z.number().int().openapi({ description: 'Events that are on their way again.' }),
    has_more: z.boolean(),
    next_from: z.iso.datetime().nullable().openapi({ description: 'Go on from here.' }),
  })
  .openapi('WebhookRedelivery');

export const testResultSchema = z
  .object({ object: z.literal('webhook_test'), event_id: z.string(), ...attemptFields })
  .openapi('WebhookTest');
