/** The progress of an order for people: card and search attributes in the Web UI, the status query. */
import { setCurrentDetails } from '@temporalio/workflow';
import type { OrderStatus } from '../../domain/order.ts';
import { details } from '../limits.ts';
import { publish as publishAttributes } from './publish.ts';
import { SEARCH_ATTRIBUTES, type CheckoutView, type StepView } from './contract.ts';

export interface Progress {
  /** Runs a step and shows its state. A result of kind `refused` is a refusal, not a fault. */
  track<T>(name: string, work: () => Promise<T>): Promise<T>;
  mark(name: string, state: StepView['state']): void;
  /** Enters a status. Published as a search attribute where the order waits or ends: each adds an event. */
  enter(status: OrderStatus, publish: 'publish' | 'quiet'): void;
  waitFor(steps: readonly string[]): void;
  view(): CheckoutView;
}

export function createProgress(title: string): Progress {
  const states = new Map<string, StepView['state']>();
  let status: OrderStatus = 'placed';
  let waitingFor: readonly string[] = [];

  const show = () => setCurrentDetails(details(card(title, view())));
  const view = (): CheckoutView => ({
    status,
    steps: [...states].map(([name, state]) => ({ name, state })),
    waitingFor,
  });
  const mark = (name: string, state: StepView['state']) => {
    states.set(name, state);
    show();
  };
  return {
    view,
    mark,
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
    waitFor(steps) {
      waitingFor = steps;
      for (const step of steps) mark(step, 'waiting');
    },
  };
}

const ICONS: Readonly<Record<StepView['state'], string>> = {
  waiting: '✋ waits for a person',
  running: '… running',
  done: '✓ done',
  refused: '✗ refused',
  failed: '! failed',
  compensated: '↩ compensated',
  skipped: '» skipped by a person',
};

function card(title: string, view: CheckoutView): string {
  const rows = view.steps.map(({ name, state }) => `| ${name} | ${ICONS[state]} |`);
  return [`### ${title}: ${view.status}`, '', '| step | state |', '|---|---|', ...rows].join('\n');
}

function isRefusal(result: unknown): boolean {
  return (
    typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'refused'
  );
}
