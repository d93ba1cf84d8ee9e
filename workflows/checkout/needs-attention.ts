/**
 * Steps that wait for a person. The order shows `needs_attention` with the steps' names; `resolve`
 * sends the decision; the workflow goes on with the same keys, however long that took.
 */
import {
  ApplicationFailure,
  condition,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailureType, AttentionRequest } from '../activities.ts';
import {
  HOLD_MARGIN_MS,
  isDecisionAbout,
  type CheckoutStage,
  type Resolution,
} from '../../domain/attention.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason } from '../../domain/order.ts';
import { resolveUpdate } from './contract.ts';
import { failureSummary } from '../failure-summary.ts';
import type { Progress } from './progress.ts';
import { recordDecision, steps } from '../steps.ts';

export interface Decided {
  readonly step: string;
  readonly decision: Resolution['decision'];
  /** Why the order is undone, if it was decided to. */
  readonly reason: CancelReason;
}

export interface Attention {
  /**
   * Parks the order until a person decides about one of the waiting steps. Money that is only held
   * does not wait for ever: shortly before its hold lapses the order is given up.
   */
  ask(asked: {
    readonly steps: readonly string[];
    readonly error: unknown;
    /** Where the order stands after each decision. */
    readonly resumes: Readonly<Record<Resolution['decision'], CheckoutStage>>;
  }): Promise<Decided>;
}

/** Who decided when nobody did. */
const BY_CLOCK = { actor: 'system', note: 'the authorization was about to expire' } as const;

export function createAttention(orderId: OrderId, progress: Progress): Attention {
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
        if (!isDecisionAbout(resolution.step, resolution.decision)) {
          throw refused(`${resolution.step} does not allow: ${resolution.decision}`);
        }
      },
    },
  );

  return {
    async ask(asked) {
      const failure = failureSummary(asked.error);
      const parked = await steps.recordNeedsAttention({ orderId, steps: asked.steps, failure });
      progress.waitFor(asked.steps);
      progress.enter('needs_attention', 'publish');
      const [step = ''] = asked.steps;
      // An undo is never cancelled: it lets the money go itself.
      const timeMs = isDecisionAbout(step, 'cancel') ? timeToDecideMs(parked) : null;
      // A cancel may end the waiting: then nobody is asked any more.
      const isInTime = await becomes(() => decision !== undefined, timeMs).finally(() =>
        progress.waitFor([]),
      );
      const resolution: Resolution = isInTime ? take() : { step, decision: 'cancel', ...BY_CLOCK };
      const stands = asked.resumes[resolution.decision];
      await recordDecision({ orderId, ...resolution, resumes: stands });
      progress.enter(stands, 'publish');
      const reason =
        resolution.actor === BY_CLOCK.actor ? 'authorization_expiring' : 'requested_by_operator';
      return { ...resolution, reason };
    },
  };

  function take(): Resolution {
    if (decision === undefined) throw new Error('woken without a decision');
    const taken = decision;
    decision = undefined;
    return taken;
  }
}

/** Waits for it, at most so long; null: as long as it takes. */
async function becomes(isTrue: () => boolean, timeMs: number | null): Promise<boolean> {
  if (timeMs !== null) {
    const summary = 'Wait for a decision, until the money would be held no longer';
    return condition(isTrue, timeMs, { summary });
  }
  await condition(isTrue);
  return true;
}

/** By the server's clock; null when no money hangs on it. */
function timeToDecideMs({ holdLeftAtStartMs }: AttentionRequest): number | null {
  if (holdLeftAtStartMs === null) return null;
  const endsAtMs = workflowInfo().startTime.getTime() + holdLeftAtStartMs;
  return Math.max(1, endsAtMs - HOLD_MARGIN_MS - Date.now());
}

function refused(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'not_waiting' satisfies FailureType);
}
