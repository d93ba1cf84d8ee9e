/**
 * Steps that wait for a person. The order shows `needs_attention` with the steps' names; `resolve`
 * sends the decision; the workflow goes on with the same keys, however long that took.
 */
import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import type { FailureType } from '../activities/contract.ts';
import type { OrderId } from '../domain/ids.ts';
import { resolveUpdate, type Resolution } from './contract.ts';
import { failureSummary } from './failure-summary.ts';
import type { Progress } from './progress.ts';
import { steps } from './steps.ts';

/** Where the order stands again once a person has decided. */
type Stands = Parameters<typeof steps.recordResolved>[0]['resumes'];

type Decision = Resolution['decision'];

export interface Attention {
  /** Parks the order until a person decides about one of the waiting steps. */
  ask(asked: {
    readonly steps: readonly string[];
    readonly error: unknown;
    /** The decisions this step allows, each with where the order stands after it. */
    readonly resumes: Partial<Readonly<Record<Decision, Stands>>>;
  }): Promise<Resolution>;
}

export function createAttention(orderId: OrderId, progress: Progress): Attention {
  let resumes: Partial<Readonly<Record<Decision, Stands>>> = {};
  let decision: Resolution | undefined;

  setHandler(
    resolveUpdate,
    (resolution) => {
      decision = resolution;
    },
    {
      description: 'A person decides about a waiting step: retry, skip or cancel.',
      validator: (resolution: Resolution) => {
        const { waitingFor } = progress.view();
        if (decision !== undefined || !waitingFor.includes(resolution.step)) {
          throw refused(`waiting for: ${waitingFor.join(', ') || 'nothing'}`);
        }
        if (resumes[resolution.decision] === undefined) {
          throw refused(`allowed for this step: ${Object.keys(resumes).join(', ')}`);
        }
      },
    },
  );

  return {
    async ask(asked) {
      const failure = failureSummary(asked.error);
      await steps.recordNeedsAttention({ orderId, steps: asked.steps, failure });
      resumes = asked.resumes;
      progress.waitFor(asked.steps);
      progress.enter('needs_attention', 'publish');
      await condition(() => decision !== undefined);
      const resolution = take();
      const stands = asked.resumes[resolution.decision];
      if (stands === undefined) throw refused('the validator let a decision through');
      await steps.recordResolved({ orderId, ...resolution, resumes: stands });
      progress.enter(stands, 'publish');
      return resolution;
    },
  };

  function take(): Resolution {
    if (decision === undefined) throw new Error('woken without a decision');
    const taken = decision;
    decision = undefined;
    progress.waitFor([]);
    return taken;
  }
}

function refused(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'not_waiting' satisfies FailureType);
}
