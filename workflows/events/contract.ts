/** The workflows that carry events to subscribers, as their callers see them. */
import type { WorkflowStartOptions } from '@temporalio/client';
import type { Delivery } from '../../domain/delivery.ts';
import {
  deliveryWorkflowId,
  notificationWorkflowId,
  subscriptionWorkflowId,
} from '../../domain/ids.ts';
import type { Notification, OrderId } from '../../domain/ids.ts';

/** Apart from checkouts, so that a crowd of slow receivers can never hold up an order. */
export const EVENTS_TASK_QUEUE = 'events';
export const SUBSCRIPTION_WORKFLOW = 'subscription';
export const DELIVERY_WORKFLOW = 'delivery';
export const NOTIFICATION_WORKFLOW = 'resendNotification';

export interface SubscriptionInput {
  readonly subscription: string;
}

export type DeliveryInput = Delivery;

export interface DeliveryResult {
  readonly status: 'delivered' | 'dead';
  readonly attempts: number;
}

export interface NotificationInput {
  readonly orderId: OrderId;
  readonly notification: Notification;
}

/** One pump per subscription; starting a running one changes nothing. */
export function subscriptionStartOptions(
  input: SubscriptionInput,
): WorkflowStartOptions<(input: SubscriptionInput) => Promise<void>> {
  return {
    workflowId: subscriptionWorkflowId(input.subscription),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: `Events to ${input.subscription}`,
  };
}

/**
 * One delivery per subscription and event at a time. A person's request replaces one that waits for
 * its next attempt, perhaps for hours; the pump leaves it alone.
 */
export function deliveryStartOptions(
  input: DeliveryInput,
): WorkflowStartOptions<(input: DeliveryInput) => Promise<DeliveryResult>> {
  return {
    workflowId: deliveryWorkflowId(input.subscription, input.eventId),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdConflictPolicy: input.firstFailedAt === null ? 'TERMINATE_EXISTING' : 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [input],
    staticSummary: `Event ${input.eventId} of ${input.orderId} to ${input.subscription}`,
  };
}

/** Tells a customer once more after the checkout gave up. */
export function notificationStartOptions(
  input: NotificationInput,
): WorkflowStartOptions<(input: NotificationInput) => Promise<void>> {
  return {
    workflowId: notificationWorkflowId(input.orderId, input.notification),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [input],
    staticSummary: `Notice ${input.notification} for ${input.orderId}`,
  };
}
