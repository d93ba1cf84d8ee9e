/**
 * The armed faults, at most one per provider and operation. Decides whether an attempt triggers a
 * fault; the caller carries it out. The decision is a function of seed and attempt number, so a run
 * can be repeated.
 */
import { z } from 'zod';
import type { Journal } from './journal.ts';
import { randomAt } from './random.ts';

export const OPERATIONS = {
  payments: ['authorize', 'capture', 'void', 'refund', 'lookup', 'challenge', 'webhook'],
  warehouse: ['reserve', 'release', 'ship', 'cancel', 'lookup', 'callback'],
  mail: ['send'],
  sms: ['send', 'lookup'],
} as const;

export type Provider = keyof typeof OPERATIONS;
export type Operation = (typeof OPERATIONS)[Provider][number];

export const PROVIDERS = [
  'payments',
  'warehouse',
  'mail',
  'sms',
] as const satisfies readonly Provider[];

/**
 * `latency` and `late` wait, then carry out the call. `fail_before` responds 5xx without effect, and so
 * does `fail_saved`, which the payment provider replays under the call's key. `refuse` is a business
 * refusal. `reject` responds with the error of your choice, without effect. `answer_lost` carries out the
 * call and cuts the connection. `hang` never responds, `down` cuts at once: both without effect.
 * `duplicate` sends a message twice and changes nothing about a call. The mail server takes a mail at once
 * under `late`, and confirms it late.
 */
export const MODES = [
  'latency',
  'fail_before',
  'fail_saved',
  'refuse',
  'reject',
  'answer_lost',
  'hang',
  'down',
  'duplicate',
  'late',
] as const;
export type Mode = (typeof MODES)[number];

/** The longest wait; a client that waits longer has no deadline. */
export const MAX_WAIT_MS = 120_000;
const DEFAULT_WAIT_MS = { latency: 1_000, late: 10_000 } as const;

/** The error of `reject`. */
const errorSchema = {
  /** An HTTP status, or for mail the SMTP reply. */
  status: z.int().min(300).max(599).optional(),
  /** The provider's own words for it: a type is Stripe's, a parameter too. */
  code: z.string().max(100).optional(),
  type: z.string().max(100).optional(),
  param: z.string().max(100).optional(),
  retry_after: z.string().max(100).optional(),
  /** The SMTP command that is rejected. */
  command: z.enum(['MAIL FROM', 'RCPT TO', 'DATA']).optional(),
};

/** Body of `PUT /faults/{provider}/{operation}`. `times` is how often it may still fire. */
export const faultSchema = z.strictObject({
  mode: z.enum(MODES),
  rate: z.number().min(0).max(1).default(1),
  times: z.int().min(0).max(1_000_000).optional(),
  latency_ms: z.int().min(0).max(MAX_WAIT_MS).optional(),
  seed: z.int().default(1),
  ...errorSchema,
});
export type FaultSpec = z.input<typeof faultSchema>;

/** An armed fault as `GET /faults` lists it. */
export const faultViewSchema = z.object({
  provider: z.enum(PROVIDERS),
  operation: z.string(),
  ...faultSchema.shape,
  fired: z.int(),
});
export type FaultView = z.output<typeof faultViewSchema>;

const armedSchema = z.object({
  ...faultViewSchema.shape,
  /** Attempts so far: the position in the random sequence. */
  draws: z.int(),
});
type Armed = z.output<typeof armedSchema>;

export interface TriggeredFault {
  readonly mode: Mode;
  /** How long `latency` and `late` wait; 0 for the other modes. */
  readonly waitMs: number;
  readonly error: RejectedWith;
}

/** What `reject` responds with. */
export type RejectedWith = Readonly<Pick<Armed, keyof typeof errorSchema>>;

export interface Place {
  readonly provider: Provider;
  readonly operation: Operation;
}

export interface Faults {
  /** Arms a fault in place of an earlier one. Throws ZodError on a bad value. */
  set(place: Place, spec: FaultSpec): FaultView;
  /** Decides one attempt. A fault whose mode is not in `modes` does not fire and is not used up. */
  trigger(place: Place, modes?: readonly Mode[]): TriggeredFault | null;
  list(): readonly FaultView[];
  remove(place: Place): void;
  clear(): void;
}

export function createFaults(journal: Journal): Faults {
  const armed = journal.table({ name: 'faults', row: armedSchema, limit: 100 });
  return {
    set: (place, spec) => {
      const fault: Armed = { ...place, ...faultSchema.parse(spec), fired: 0, draws: 0 };
      armed.set(nameOf(place), fault);
      return view(fault);
    },
    trigger: (place, modes = MODES) => {
      const fault = armed.get(nameOf(place));
      if (fault === undefined || fault.times === 0 || !modes.includes(fault.mode)) return null;
      const fires = randomAt(fault.seed, fault.draws) < fault.rate;
      armed.set(nameOf(place), {
        ...fault,
        draws: fault.draws + 1,
        fired: fault.fired + (fires ? 1 : 0),
        ...(fault.times === undefined ? {} : { times: fault.times - (fires ? 1 : 0) }),
      });
      return fires ? { mode: fault.mode, waitMs: waitOf(fault), error: fault } : null;
    },
    list: () => [...armed.values()].map(view),
    remove: (place) => armed.delete(nameOf(place)),
    clear: () => armed.clear(),
  };
}

/** True when the provider has the operation. */
export function isPlace(place: { provider: string; operation: string }): place is Place {
  const known: Readonly<Record<string, readonly string[]>> = OPERATIONS;
  const operations = Object.hasOwn(known, place.provider) ? known[place.provider] : undefined;
  return operations?.includes(place.operation) === true;
}

function nameOf(place: Place): string {
  return `${place.provider}/${place.operation}`;
}

function view({ draws: _draws, ...shown }: Armed): FaultView {
  return shown;
}

function waitOf(fault: Armed): number {
  if (fault.mode !== 'latency' && fault.mode !== 'late') return 0;
  return fault.latency_ms ?? DEFAULT_WAIT_MS[fault.mode];
}
