/**
 * Steps that need an operator's decision. The order shows `needs_attention` with the names of the
 * steps, the `resolve` update sends the decision, and the workflow continues under the same keys.
 */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  log,
  patched,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { AUTHORIZATION_MARGIN_MS, type Resolution } from '../../domain/attention.ts';
import {
  CHECKOUT_STEP,
  isDecisionAbout,
  type CheckoutStage,
  type Decision,
} from '../../domain/checkout-steps.ts';
import type { FailureType } from '../../domain/failures.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CancelReason } from '../../domain/order.ts';
import type { AttentionRequest } from '../activities.ts';
import { failureSummary } from '../failure-summary.ts';
import { onUpdate } from '../inputs.ts';
import { resolution as resolutionInput } from './inputs.ts';
import { recordDecision, steps } from '../steps.ts';
import { resolveUpdate } from './contract.ts';
import type { Progress } from './progress.ts';

export interface Decided {
  readonly step: string;
  readonly decision: Decision;
  /** Why the order is cancelled, if that is the decision. */
  readonly reason: CancelReason;
}

export interface Attention {
  /**
   * Waits until an operator decides about one of the steps. An uncaptured authorization limits the
   * wait: shortly before it expires, the decision is `cancel`.
   */
  requestDecision(request: {
    readonly steps: readonly string[];
    readonly error: unknown;
    /** The order's stage after each decision. */
    readonly resumes: Readonly<Record<Decision, CheckoutStage>>;
  }): Promise<Decided>;
  /**
   * The workflow is about to fail, outside of a step that could be decided about: a person restarts the
   * order from the database, or cancels it. When not even that can be recorded, the sweep asks.
   */
  requestRestart(error: unknown): Promise<void>;
}

/** The decision when no operator took one in time. */
const TIMED_OUT = {
  decision: 'cancel',
  actor: 'system',
  note: 'the authorization was about to expire',
} as const;

export function createAttention(orderId: OrderId, progress: Progress): Attention {
  let received: Resolution | undefined;

  onUpdate(resolveUpdate, resolutionInput, {
    description:
      'Decide about a step that waits for a person, by its name in the query status: {"step": "capturePayment", "decision": "retry", "note": "why", "actor": "your name"}. A decision is retry, skip or cancel; not each step allows each.',
    refuse({ step, decision }) {
      const { waitingFor } = progress.view();
      if (received !== undefined || !waitingFor.includes(step)) {
        throw refused(`waiting for: ${waitingFor.join(', ') || 'nothing'}`);
      }
      if (!isDecisionAbout(step, decision)) throw refused(`${step} does not allow: ${decision}`);
    },
    handle(resolution) {
      received = resolution;
    },
  });

  return {
    requestRestart: (error) => requestRestart(orderId, error),
    async requestDecision(request) {
      const failure = failureSummary(request.error);
      const attention = await steps.recordNeedsAttention({
        orderId,
        steps: request.steps,
        failure,
      });
      const { deadLetters = {} } = attention;
      progress.waitFor({ steps: request.steps, failure, deadLetters });
      progress.enter('needs_attention', 'publish');
      const [step = ''] = request.steps;
      // A compensation has no deadline: it is what voids the authorization.
      const timeoutMs = isDecisionAbout(step, 'cancel') ? timeToDecideMs(attention) : null;
      // A cancel of the order may end the wait too.
      const isReceived = await waitUntil(() => received !== undefined, timeoutMs).finally(() =>
        progress.waitFor(null),
      );
      const resolution: Resolution = isReceived ? take() : { step, ...TIMED_OUT };
      const stage = request.resumes[resolution.decision];
      const record = () => recordDecision({ orderId, ...resolution, resumes: stage });
      // The decision was accepted: a cancel of the order must not lose what was done manually.
      await (patched('keep-decision') ? CancellationScope.nonCancellable(record) : record());
      progress.enter(stage, 'publish');
      const reason =
        resolution.actor === TIMED_OUT.actor ? 'authorization_expiring' : 'requested_by_operator';
      return { ...resolution, reason };
    },
  };

  function take(): Resolution {
    if (received === undefined) throw new Error('woken without a decision');
    const resolution = received;
    received = undefined;
    return resolution;
  }
}

/** Not published as a search attribute: a closed run would show it for ever. */
async function requestRestart(orderId: OrderId, error: unknown): Promise<void> {
  const failure = failureSummary(error);
  try {
    await steps.recordNeedsAttention({ orderId, steps: [CHECKOUT_STEP], failure });
  } catch (unrecorded) {
    if (!(unrecorded instanceof TemporalFailure)) throw unrecorded;
    log.warn('the order could not be marked as needing attention', { failure });
  }
}

/** False when the timeout passed first; null: no timeout. */
async function waitUntil(isTrue: () => boolean, timeoutMs: number | null): Promise<boolean> {
  if (timeoutMs !== null) {
    const summary = 'Wait for a decision until the authorization is about to expire';
    return condition(isTrue, timeoutMs, { summary });
  }
  await condition(isTrue);
  return true;
}

/** By the server's clock; null when no authorization is open. */
function timeToDecideMs({ authorizationLeftAtStartMs }: AttentionRequest): number | null {
  if (authorizationLeftAtStartMs === null) return null;
  const expiresAtMs = workflowInfo().startTime.getTime() + authorizationLeftAtStartMs;
  return Math.max(1, expiresAtMs - AUTHORIZATION_MARGIN_MS - Date.now());
}

function refused(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'not_waiting' satisfies FailureType);
}
