/** The contracts of the workflows that deliver events and notifications. */
import type { WorkflowStartOptions } from '@temporalio/client';
import type { Delivery } from '../../domain/delivery.ts';
import {
  deliveryWorkflowId,
  notificationWorkflowId,
  subscriptionWorkflowId,
} from '../../domain/ids.ts';
import type { Notification, OrderId } from '../../domain/ids.ts';
import { summary } from '../limits.ts';

/** Separate from checkouts, so that slow receivers never delay an order. */
export const EVENTS_TASK_QUEUE = 'events';
export const SUBSCRIPTION_WORKFLOW = 'subscription';
export const DELIVERY_WORKFLOW = 'delivery';
export const NOTIFICATION_WORKFLOW = 'resendNotification';

export interface SubscriptionInput {
  readonly subscription: string;
}

export type DeliveryInput = Delivery;

export interface DeliveryResult {
  /** `gone`: the subscription was deleted. */
  readonly status: 'delivered' | 'dead' | 'gone';
  readonly attempts: number;
}

export interface NotificationInput {
  readonly orderId: OrderId;
  readonly notification: Notification;
}

/** Options that start a subscription's pump. One per subscription; a running one is left alone. */
export function subscriptionStartOptions(
  input: SubscriptionInput,
): WorkflowStartOptions<(input: SubscriptionInput) => Promise<void>> {
  return {
    workflowId: subscriptionWorkflowId(input.subscription),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
    staticSummary: summary(`Events to ${input.subscription}`),
  };
}

/**
 * Options that start a delivery, one at a time per subscription and event. A requested delivery replaces
 * one that waits for its next attempt, perhaps for hours; a start by the pump leaves it alone.
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
    staticSummary: summary(`Event ${input.eventId} of ${input.orderId} to ${input.subscription}`),
  };
}

/** Options that resend a notification which the checkout could not send. */
export function notificationStartOptions(
  input: NotificationInput,
): WorkflowStartOptions<(input: NotificationInput) => Promise<void>> {
  return {
    workflowId: notificationWorkflowId(input.orderId, input.notification),
    taskQueue: EVENTS_TASK_QUEUE,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [input],
    staticSummary: summary(`Notification ${input.notification} for ${input.orderId}`),
  };
}
