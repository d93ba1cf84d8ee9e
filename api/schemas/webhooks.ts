/** Webhook endpoints and deliveries on the wire. */
import { z } from '@hono/zod-openapi';
import { EVENT_TYPES } from '../../domain/order.ts';
import { listOf, pageOf, pageOfIds, time } from './common.ts';

const types = z
  .array(z.enum(EVENT_TYPES))
  .max(EVENT_TYPES.length)
  .transform((list) => [...new Set(list)])
  .openapi({ description: 'Empty: all types.', example: ['order.placed', 'order.shipped'] });
const url = z.string().min(1).max(2_048).openapi({
  description:
    'An https URL on the public internet, port 443 or 8443. On a local stack also http on this machine.',
});

export const endpointParam = z.object({
  id: z.string().openapi({ example: 'we_01k9zq3v5nfa3s4w1m6t2y8h7c' }),
});

export const createEndpointBody = z
  .strictObject({ url, types: types.default([]) })
  .openapi('CreateWebhookEndpoint', {
    example: { url: 'http://127.0.0.1:4999/hooks', types: ['order.placed', 'order.shipped'] },
  });

export const changeEndpointBody = z
  .strictObject({
    url: url.optional(),
    types: types.optional(),
    status: z.enum(['enabled', 'disabled']).optional(),
  })
  .openapi('ChangeWebhookEndpoint', { example: { status: 'enabled' } });

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

/** A replay must not show a secret that was replaced or whose endpoint was deleted. */
const secret = z.string().optional().openapi({
  description:
    'Shown only here. A replay has it as long as it is the current secret of the endpoint.',
  example: 'whsec_...',
});

export const createdEndpointSchema = endpointSchema
  .extend({ secret })
  .openapi('CreatedWebhookEndpoint');

export const rotatedSecretSchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_secret'),
    secret,
    previous_secret_expires_at: z.iso.datetime().openapi({
      description: 'Until then webhooks are signed with both secrets.',
    }),
  })
  .openapi('RotatedWebhookSecret');

export const endpointListQuery = pageOfIds('webhookEndpoint');
export const endpointListSchema = listOf(endpointSchema);

export const deliveryListQuery = pageOf(z.string().regex(/^\d{1,18}$/)).extend({
  event_id: z.uuid().optional(),
});

const attemptFields = {
  outcome: z.enum(['delivered', 'failed']),
  status: z.number().int().nullable().openapi({ description: 'Null without a response.' }),
  latency_ms: z.number().int(),
  error: z.string().nullable(),
  response: z
    .string()
    .nullable()
    .openapi({ description: 'The first 1024 characters of the response.' }),
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
    { path: ['to'], message: '`to` must be later than `from`.' },
  )
  .openapi('Redeliver', {
    example: { from: '2026-11-30T00:00:00Z', to: '2026-11-30T01:00:00Z' },
    oneOf: [
      { required: ['event_id'], properties: { event_id: {}, from: { not: {} }, to: { not: {} } } },
      { required: ['from', 'to'], properties: { event_id: { not: {} }, from: {}, to: {} } },
    ],
  });

export const redeliverySchema = z
  .object({
    object: z.literal('webhook_redelivery'),
    endpoint_id: z.string(),
    requested: z
      .number()
      .int()
      .openapi({ description: 'The number of events that are redelivered.' }),
    has_more: z.boolean(),
    next_from: z.iso
      .datetime()
      .nullable()
      .openapi({ description: 'Send it as `from` to continue.' }),
  })
  .openapi('WebhookRedelivery');

export const testResultSchema = z
  .object({ object: z.literal('webhook_test'), event_id: z.string(), ...attemptFields })
  .openapi('WebhookTest');
