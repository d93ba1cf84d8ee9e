/** Updates that get through to a workflow, as the API sends them. */
import { randomUUID } from 'node:crypto';
import type { UpdateDefinition } from '@temporalio/common';
import { WorkflowUpdateRPCTimeoutOrCancelledError, type WorkflowHandle } from '@temporalio/client';
import { insist } from '../../api/dropped-updates.ts';

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
      return await handle.client.withDeadline(Date.now() + DEADLINE_MS, () => insist(send));
    } catch (error) {
      const unanswered = error instanceof WorkflowUpdateRPCTimeoutOrCancelledError;
      if (!unanswered || tries === TRIES) throw error;
    }
  }
}
