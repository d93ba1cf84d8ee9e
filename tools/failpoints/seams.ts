/**
 * Where failpoints are: around the gateways, Temporal's client and every commit. The code in between
 * does not know them.
 */
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { Seams } from '../../run.ts';
import { createFailpoints, SEAMS, type CallSeam, type Failpoints } from './failpoints.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import { DELIVERY_WORKFLOW } from '../../workflows/events/contract.ts';
import { REFUND_WORKFLOW } from '../../workflows/refund/contract.ts';

export interface FailpointOptions {
  /** `<name>`, `<name>#<n>` or `@<file>`. */
  readonly setting: string;
  readonly markFile: string;
}

/** The seams at which an armed failpoint kills the process. */
export function createFailpointSeams(options: FailpointOptions): Seams {
  const failpoints = createFailpoints(options);
  return {
    ...gatewaySeams(aroundWith(failpoints)),
    temporal: [temporalSeam(aroundWith(failpoints))],
    onCommit: ({ events, writes }, moment) => {
      const name = `commit.${events[0] ?? writes[0]}`;
      const seam = SEAMS.find((each) => each === name);
      if (seam) failpoints.pass(seam, moment);
    },
  };
}

type Around = <T>(seam: CallSeam, call: () => Promise<T>) => Promise<T>;

function aroundWith(failpoints: Failpoints): Around {
  return async (seam, call) => {
    failpoints.pass(seam, 'before');
    const result = await call();
    failpoints.pass(seam, 'after');
    return result;
  };
}

function gatewaySeams(
  around: Around,
): Pick<Seams, 'payments' | 'warehouse' | 'mailer' | 'sms' | 'webhooks'> {
  return {
    payments: (gateway) => ({
      ...gateway,
      authorize: (...given) => around('payments.authorize', () => gateway.authorize(...given)),
      lookUp: (...given) => around('payments.look_up', () => gateway.lookUp(...given)),
      capture: (...given) => around('payments.capture', () => gateway.capture(...given)),
      voidAuthorization: (...given) =>
        around('payments.void', () => gateway.voidAuthorization(...given)),
      refund: (...given) => around('payments.refund', () => gateway.refund(...given)),
    }),
    warehouse: (gateway) => ({
      ...gateway,
      reserve: (...given) => around('warehouse.reserve', () => gateway.reserve(...given)),
      release: (...given) => around('warehouse.release', () => gateway.release(...given)),
      ship: (...given) => around('warehouse.ship', () => gateway.ship(...given)),
      cancelShipment: (...given) =>
        around('warehouse.cancel', () => gateway.cancelShipment(...given)),
    }),
    mailer: (mailer) => ({
      ...mailer,
      send: (...given) => around('mail.send', () => mailer.send(...given)),
    }),
    sms: (sender) => ({
      ...sender,
      send: (...given) => around('sms.send', () => sender.send(...given)),
    }),
    webhooks: (sender) => ({
      ...sender,
      send: (...given) => around('webhook.send', () => sender.send(...given)),
    }),
  };
}

function temporalSeam(around: Around): WorkflowClientInterceptor {
  return {
    startWithDetails: (input, next) => {
      const seam = STARTS.get(input.workflowType);
      return seam === undefined ? next(input) : around(seam, () => next(input));
    },
    signal: (input, next) => around('temporal.signal', () => next(input)),
    startUpdate: (input, next) => around('temporal.update', () => next(input)),
    startUpdateWithStart: (input, next) => around('temporal.update', () => next(input)),
  };
}

const STARTS: ReadonlyMap<string, CallSeam> = new Map([
  [CHECKOUT_WORKFLOW, 'temporal.start'],
  [DELIVERY_WORKFLOW, 'temporal.start_delivery'],
  [REFUND_WORKFLOW, 'temporal.start_refund'],
]);
