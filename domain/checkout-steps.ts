/**
 * The steps of a checkout and their compensations, in the order they run. Types, stages, retry
 * budgets, decisions and the restart from the database are derived from this one table. A new step is
 * a row here, its activity, its call in `goForward` (workflows/checkout/checkout.ts), and its row in
 * the console's picture (api/console/saga-rows.ts): docs/add-a-step.md.
 */

export type Decision = 'retry' | 'skip' | 'cancel';

/** Each decision an operator may take, with its effect in words. */
type Decisions = Partial<Readonly<Record<Decision, string>>>;

interface StepRow {
  readonly name: string;
  /** The name in words. */
  readonly title: string;
  /** The order's stage before the step, and once it is done or skipped. */
  readonly stage: { readonly before: string; readonly after: string };
  /** The activities that are attempts at the step. */
  readonly activities: readonly string[];
  readonly retryBudgetMs: number;
  /**
   * What follows when an outage used up the retry budget: the order is cancelled, because nothing is
   * captured yet, or a person is asked. After any other failure a person is asked (domain/failures.ts).
   */
  readonly budgetUsedUp: 'cancel' | 'ask';
  readonly decisions: Decisions;
  /** An activity; registered before the step runs. */
  readonly compensation: {
    readonly name: string;
    readonly title: string;
    readonly retryBudgetMs: number;
    readonly decisions: Decisions;
  };
}

const DAY_MS = 24 * 3_600_000;

const CANCEL_ORDER =
  'Cancels the order: completed steps are compensated, the customer is notified.';
const COMPENSATED_MANUALLY = 'Treats it as compensated manually: the provider is not called again.';

export const CHECKOUT_STEPS = [
  {
    name: 'reserveStock',
    title: 'Reserve the stock',
    stage: { before: 'placed', after: 'reserved' },
    activities: ['reserveStock'],
    // Stock is held and money authorized meanwhile: a shopper may wait a day for the warehouse.
    retryBudgetMs: 1 * DAY_MS,
    budgetUsedUp: 'cancel',
    decisions: {
      retry: 'Retries the reservation under the same key, then continues.',
      cancel: CANCEL_ORDER,
    },
    compensation: {
      name: 'releaseStock',
      title: 'Release the stock',
      retryBudgetMs: 1 * DAY_MS,
      decisions: {
        retry: 'Retries the release at the warehouse, under the same key.',
        skip: COMPENSATED_MANUALLY,
      },
    },
  },
  {
    name: 'capturePayment',
    title: 'Capture the payment',
    stage: { before: 'reserved', after: 'paid' },
    activities: ['capturePayment'],
    // Card authorizations live 7 days: an operator needs time to act before they expire.
    retryBudgetMs: 5 * DAY_MS,
    budgetUsedUp: 'ask',
    decisions: {
      retry: 'Retries the capture under the same key, then continues.',
      skip: 'Treats the payment as captured manually and continues with shipping. It will not be voided afterwards.',
      cancel: CANCEL_ORDER,
    },
    compensation: {
      name: 'voidOrRefundPayment',
      title: 'Void or refund the payment',
      retryBudgetMs: 1 * DAY_MS,
      decisions: {
        retry: 'Looks up the payment, then voids it, or refunds what is left.',
        skip: COMPENSATED_MANUALLY,
      },
    },
  },
  {
    name: 'shipOrder',
    title: 'Ship the order',
    // `shipped` is the end of a checkout, not a stage of it.
    stage: { before: 'paid', after: 'paid' },
    activities: ['requestShipment', 'lookUpShipment'],
    // The payment is captured, so waiting costs nothing: an outage may last weeks.
    retryBudgetMs: 30 * DAY_MS,
    budgetUsedUp: 'ask',
    decisions: {
      retry: 'Retries the shipping request under the same key.',
      skip: 'Treats the order as shipped manually: cancels the request at the warehouse, then marks the order shipped.',
      cancel: CANCEL_ORDER,
    },
    compensation: {
      name: 'cancelShipment',
      title: 'Cancel the shipment',
      retryBudgetMs: 1 * DAY_MS,
      decisions: {
        retry: 'Retries the cancellation at the warehouse.',
        skip: COMPENSATED_MANUALLY,
      },
    },
  },
] as const satisfies readonly StepRow[];

/** The checkout as a whole: it waits for an operator when its workflow is gone or keeps failing. */
export const CHECKOUT_STEP = 'checkout';
const CHECKOUT_DECISIONS: Decisions = {
  retry: 'Restarts the checkout from its last recorded stage, under the same keys.',
  cancel: CANCEL_ORDER,
};

export type CheckoutStep = (typeof CHECKOUT_STEPS)[number];
export type ForwardStep = CheckoutStep['name'];
export type CompensationName = CheckoutStep['compensation']['name'];
export type StepName = ForwardStep | CompensationName;
/** Where an order is between its steps. */
export type CheckoutStage = ForwardStage | 'cancelling';
export type ForwardStage = CheckoutStep['stage']['before'];
/** All stages, in the order of an order's life. */
export const CHECKOUT_STAGES: readonly CheckoutStage[] = [
  ...new Set(CHECKOUT_STEPS.map(({ stage }) => stage.before)),
  'cancelling',
];

/** The API authorizes the payment before the checkout starts, so this one is due from the start. */
export const FIRST_COMPENSATION: CompensationName = 'voidOrRefundPayment';
/** All compensations, in the order of their steps. */
export const COMPENSATIONS = CHECKOUT_STEPS.map(({ compensation }) => compensation.name);

const ALL_STEPS: readonly Pick<StepRow, 'name' | 'title' | 'retryBudgetMs' | 'decisions'>[] = [
  ...CHECKOUT_STEPS,
  ...CHECKOUT_STEPS.map(({ compensation }) => compensation),
  { name: CHECKOUT_STEP, title: 'Checkout', retryBudgetMs: 0, decisions: CHECKOUT_DECISIONS },
];

/** The row of a forward step. */
export function checkoutStep(name: ForwardStep): CheckoutStep {
  const row = CHECKOUT_STEPS.find((step) => step.name === name);
  if (row === undefined) throw new TypeError(`there is no checkout step ${name}`);
  return row;
}

/** The step's name in words; one that is not in the table keeps its own. */
export function stepTitle(name: string): string {
  return ALL_STEPS.find((step) => step.name === name)?.title ?? name;
}

/** How long a step is retried in an outage before the order is cancelled or an operator is asked. */
export function retryBudgetMs(name: StepName): number {
  return ALL_STEPS.find((step) => step.name === name)?.retryBudgetMs ?? 0;
}

/** The step that the activity is an attempt at; undefined when it only reads or records. */
export function stepOfActivity(activity: string): StepName | undefined {
  const forward = CHECKOUT_STEPS.find(({ activities }) => activities.some((a) => a === activity));
  return forward?.name ?? COMPENSATIONS.find((name) => name === activity);
}

/** The decisions that the step allows, with their effects. */
export function decisionsAbout(
  step: string,
): readonly { readonly action: Decision; readonly effect: string }[] {
  const allowed = decisionsOf(step);
  return (['retry', 'skip', 'cancel'] as const).flatMap((action) => {
    const effect = allowed[action];
    return effect === undefined ? [] : [{ action, effect }];
  });
}

/** True when an operator may decide this about the step. */
export function isDecisionAbout(step: string, decision: Decision): boolean {
  return decisionsOf(step)[decision] !== undefined;
}

function decisionsOf(name: string): Decisions {
  return ALL_STEPS.find((step) => step.name === name)?.decisions ?? {};
}

/** The order's stage once the step is skipped; null for a compensation, which does not move it. */
export function stageAfterSkip(step: string): CheckoutStage | null {
  return CHECKOUT_STEPS.find(({ name }) => name === step)?.stage.after ?? null;
}

/** The last stage that an order has entered; `isDone` says whether a step is done or skipped. */
export function lastStage(isDone: (step: CheckoutStep) => boolean): ForwardStage {
  return CHECKOUT_STEPS.findLast(isDone)?.stage.after ?? CHECKOUT_STEPS[0].stage.before;
}

/** The forward steps that an order at the stage has completed. */
export function completedSteps(stage: CheckoutStage): readonly ForwardStep[] {
  const first = CHECKOUT_STEPS.findIndex((step) => step.stage.before === stage);
  return CHECKOUT_STEPS.slice(0, Math.max(0, first)).map(({ name }) => name);
}

/** The compensations that are registered while an order is at the stage, in the order they run. */
export function compensationsAt(stage: CheckoutStage): readonly CompensationName[] {
  // Several steps may run at one stage.
  const last = CHECKOUT_STEPS.findLastIndex((step) => step.stage.before === stage);
  const begun = COMPENSATIONS.slice(0, last + 1).toReversed();
  return [...new Set([...begun, FIRST_COMPENSATION])];
}

/** How long an order may be at each stage: the retry budgets of the steps that run there. */
export const STAGE_BUDGETS_MS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    CHECKOUT_STEPS.map(({ stage: { before } }) => [before, budgetAt(before)] as const),
  ),
  cancelling: CHECKOUT_STEPS.reduce((sum, { compensation }) => sum + compensation.retryBudgetMs, 0),
};

function budgetAt(stage: ForwardStage): number {
  const steps = CHECKOUT_STEPS.filter(({ stage: { before } }) => before === stage);
  return steps.reduce((sum, step) => sum + step.retryBudgetMs, 0);
}
