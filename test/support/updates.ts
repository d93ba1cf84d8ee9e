/** What a workflow is sent: updates that get through, as the API sends them, and callbacks. */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError, type UpdateDefinition } from '@temporalio/common';
import { WorkflowUpdateRPCTimeoutOrCancelledError, type WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import type { ShipmentAnswer } from '../../workflows/activities.ts';
import { retryDroppedUpdate } from '../../temporal/retry-update.ts';
import { shipmentCorrelationId } from '../../domain/ids.ts';
import type { Resolution } from '../../domain/attention.ts';
import { resolveUpdate, shipmentAnsweredSignal } from '../../workflows/checkout/contract.ts';
import { eventually } from './eventually.ts';
import { waitingFor } from './expectations.ts';
import { orderIdOf, type CheckoutHandle } from './running-shop.ts';

const DEADLINE_MS = 10_000;
const TRIES = 6;

export interface Update<Result, Arg> {
  readonly definition: UpdateDefinition<Result, [Arg]>;
  readonly arg: Arg;
  readonly updateId?: string;
}

/**
 * Sends an update until it is answered, each time under the same id: a server may drop one that
 * comes while a workflow task is under way, and the one that skips time never says so. Throws what
 * the workflow refuses it with.
 */
export async function update<Result, Arg>(
  handle: WorkflowHandle,
  { definition, arg, updateId = randomUUID() }: Update<Result, Arg>,
): Promise<Result> {
  const send = () => handle.executeUpdate(definition, { updateId, args: [arg] });
  for (let tries = 1; ; tries += 1) {
    try {
      return await handle.client.withDeadline(Date.now() + DEADLINE_MS, () =>
        retryDroppedUpdate(send),
      );
    } catch (error) {
      // Over since an earlier try was taken, whose answer came too late.
      const isOver = error instanceof WorkflowNotFoundError;
      if (isOver) return handle.getUpdateHandle<Result>(updateId).result();
      const unanswered = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
      if (!unanswered || tries === TRIES) throw error;
    }
  }
}

type Decided = Pick<Resolution, 'step' | 'decision'>;

/** A person decides about a step that waits. It is recorded as waiting before the workflow knows. */
export async function resolve(handle: CheckoutHandle, decided: Decided): Promise<void> {
  await eventually(async () => expect(await waitingFor(handle)).toContain(decided.step));
  await decide(handle, decided);
}

/** The same, whatever the workflow waits for. */
export function decide(handle: CheckoutHandle, decided: Decided): Promise<void> {
  const arg = { ...decided, note: 'looked into it', actor: 'op' };
  return update(handle, { definition: resolveUpdate, arg });
}

export const PARCEL = {
  kind: 'shipped',
  carrier: 'Test Parcel',
  trackingNumber: 'TP1',
} as const;

/** The warehouse's callback, as the API passes it on. */
export function answerShipment(
  handle: CheckoutHandle,
  answer: ShipmentAnswer = PARCEL,
): Promise<void> {
  const correlationId = shipmentCorrelationId(orderIdOf(handle));
  return handle.signal(shipmentAnsweredSignal, { correlationId, answer });
}
