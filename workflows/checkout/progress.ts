/** The progress of an order for people: card and search attributes in the Web UI, the status query. */
import { setCurrentDetails } from '@temporalio/workflow';
import type { OrderStatus } from '../../domain/order.ts';
import { details } from '../limits.ts';
import { retriedSteps, whenRetried } from '../steps.ts';
import { renderCard, type Held, type Waiting } from './card.ts';
import { consolePageOfOrder, publish as publishAttributes } from './publish.ts';
import { SEARCH_ATTRIBUTES, type CheckoutView, type StepView } from './contract.ts';

export interface Progress {
  /** Runs a step and shows its state. A result of kind `refused` is a refusal, not a fault. */
  track<T>(name: string, work: () => Promise<T>): Promise<T>;
  mark(name: string, state: StepView['state']): void;
  /** Enters a status. Published as a search attribute where the order waits or ends: each adds an event. */
  enter(status: OrderStatus, publish: 'publish' | 'quiet'): void;
  /** The warehouse has the shipping request and will call back. */
  awaitCallback(): void;
  /** The shipment is held; null: not any more. */
  hold(held: Held | null): void;
  /** Null: no step waits for a person any more. */
  waitFor(waiting: Waiting | null): void;
  view(): CheckoutView;
}

/** `total`: what the order comes to. */
export function createProgress(total: string): Progress {
  const states = new Map<string, StepView['state']>();
  const consoleUrl = consolePageOfOrder();
  let status: OrderStatus = 'placed';
  let waiting: Waiting | null = null;
  let requestedAt: string | null = null;
  let held: Held | null = null;

  const show = (): void => {
    const now = { status, states, waiting, requestedAt, held, retried: retriedSteps() };
    setCurrentDetails(details(renderCard({ total, consoleUrl, ...now })));
  };
  const mark = (name: string, state: StepView['state']): void => {
    states.set(name, state);
    show();
  };
  whenRetried(show);
  return {
    mark,
    view: () => ({
      status,
      steps: [...states].map(([name, state]) => ({ name, state })),
      waitingFor: waiting?.steps ?? [],
    }),
    async track(name, work) {
      mark(name, 'running');
      try {
        const result = await work();
        mark(name, isRefusal(result) ? 'refused' : 'done');
        return result;
      } catch (error) {
        mark(name, 'failed');
        throw error;
      }
    },
    enter(next, publish) {
      status = next;
      show();
      if (publish === 'quiet') return;
      publishAttributes([
        { key: SEARCH_ATTRIBUTES.orderStatus, value: next },
        { key: SEARCH_ATTRIBUTES.needsAttention, value: next === 'needs_attention' },
      ]);
    },
    awaitCallback() {
      requestedAt = new Date().toISOString();
      show();
    },
    hold(next) {
      held = next;
      show();
    },
    waitFor(next) {
      waiting = next;
      for (const step of next?.steps ?? []) states.set(step, 'waiting');
      show();
    },
  };
}

function isRefusal(result: unknown): boolean {
  return (
    typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'refused'
  );
}
