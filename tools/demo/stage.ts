/**
 * What the demos of the patterns share: requests to the API, a line for each thing that happens, and the
 * checks that decide whether a demo passed.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { OrderId } from '../../domain/ids.ts';
import { call, type Call, type HttpResult } from '../http.ts';
import { orderBody } from '../shop-requests.ts';
import { eventRow, paint, row } from './paint.ts';
import type { Parts } from './parts.ts';
import type { Environment } from './runner.ts';
import { INSPECTABLE, orderIdSchema } from './shop.ts';
import { pollUntil } from './wait.ts';

export interface Stage extends Environment {
  readonly api: string;
  readonly parts: Parts;
  /** One line for each check that failed. */
  readonly failures: string[];
  /** How many events of each order were printed. */
  readonly printed: Map<OrderId, number>;
  /** Prints what was found, and notes a failure when it is not what has to be. */
  check(what: string, found: unknown, expected: unknown): void;
}

/** One pattern, shown on the running stack. */
export interface PatternDemo {
  /** What is broken, and what has to happen nevertheless. */
  readonly story: string;
  /** Faults that are still armed and parts that are still stopped are restored afterwards. */
  show(stage: Stage): Promise<void>;
}

/** Longer than the default probe of a circuit breaker, which an earlier run may have opened. */
const TIMEOUT_MS = 90_000;
const RESTORE_MS = 10_000;

export function createStage(
  environment: Environment,
  { api, parts }: Pick<Stage, 'api' | 'parts'>,
): Stage {
  const failures: string[] = [];
  return {
    ...environment,
    api,
    parts,
    failures,
    printed: new Map(),
    check(what, found, expected) {
      const isRight = isDeepStrictEqual(found, expected);
      const verdict = isRight ? paint('green', 'ok') : paint('red', 'wrong');
      environment.say(row(null, `${verdict}  ${what}: ${text(found)}`));
      if (!isRight) failures.push(`${what} is ${text(found)}, expected ${text(expected)}`);
    },
  };
}

/** For what has to be done even when the demo was stopped: it restores what the demo changed. */
export function afterwards(stage: Stage): Stage {
  return { ...stage, signal: AbortSignal.timeout(RESTORE_MS) };
}

/** Prints what happens now. */
export function announce({ say }: Stage, what: string, more = ''): void {
  say(row(null, paint('yellow', what), more));
}

type Request = Omit<Call, 'url' | 'signal'> & { readonly path: string };

/** One request to the API. Rejects when it is not answered. */
export function request({ api, signal }: Stage, { path, ...rest }: Request): Promise<HttpResult> {
  return call({ url: `${api}${path}`, signal, ...rest });
}

/** The same, printed with its time, as a storefront unless the call says otherwise. Another status is a failure. */
export async function ask(stage: Stage, call: Request, status: number): Promise<HttpResult> {
  const result = await request(stage, { role: 'storefront', ...call });
  const { method = 'GET', path } = call;
  stage.say(row(result.tookMs, `${method} ${path}: ${result.status}`));
  if (result.status !== status) stage.check(`status of ${path}`, result.status, status);
  return result;
}

/** Whether the API says that a response came from its cache, and not from the database. */
export function isFromCache(headers: Headers): boolean {
  return headers.get('cache-status')?.startsWith('holdfast; hit') === true;
}

/** The body of a response that has to be of this schema. Rejects otherwise. */
export async function read<T>(stage: Stage, path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse((await request(stage, { path, role: 'operator' })).body);
}

/** Faults of the sandbox, by their places. */
export async function arm(
  stage: Stage,
  faults: Readonly<Record<string, Parameters<Stage['sandbox']['arm']>[1]>>,
): Promise<void> {
  for (const [place, fault] of Object.entries(faults)) {
    await stage.sandbox.arm(place, fault);
    const times = fault.times === undefined ? '' : `, ${fault.times} times`;
    announce(stage, `PUT /faults/${place} mode ${fault.mode}${times}`);
  }
}

export async function clearFaults(stage: Stage): Promise<void> {
  await stage.sandbox.clearFaults();
  announce(stage, 'DELETE /faults');
}

const responseSchema = z.object({ id: orderIdSchema.optional(), code: z.string().optional() });

export interface Placed {
  readonly status: number;
  readonly code: string | null;
  readonly id: OrderId | null;
  readonly tookMs: number;
  readonly result: HttpResult;
}

/** `POST /v1/orders` for two white mugs, under a key of its own unless one is given. */
export async function place(
  stage: Stage,
  { key, ...changes }: { readonly key?: string; readonly [field: string]: unknown } = {},
): Promise<Placed> {
  const order = {
    email: `demo-${stage.run}@example.com`,
    name: 'Ada Lovelace',
    lines: [{ sku: 'mug-white', quantity: 2 }],
    paymentMethod: 'pm_card_visa',
  };
  const result = await request(stage, {
    path: '/v1/orders',
    method: 'POST',
    role: 'storefront',
    body: { ...orderBody(order), ...changes },
    headers: { ...INSPECTABLE, ...(key !== undefined && { 'idempotency-key': key }) },
  });
  const { id = null, code = null } = responseSchema.parse(result.body);
  const { status, tookMs } = result;
  stage.say(row(tookMs, `POST /v1/orders: ${status} ${code ?? paint('bold', id ?? '')}`));
  return { status, code, id, tookMs, result };
}

/** An order that has to be accepted. Throws otherwise. */
export async function placed(
  stage: Stage,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<OrderId> {
  const { id, status, code } = await place(stage, changes);
  if (id !== null && status === 201) return id;
  throw new Error(`the order was not accepted: ${status} ${code ?? ''}`);
}

const orderSchema = z.object({ status: z.string() });

/** Waits for the status; a stack that restarts does not answer for a while. Prints new events. */
export async function follow(stage: Stage, id: OrderId, status: string): Promise<void> {
  const found = await until(
    stage,
    () => read(stage, `/v1/orders/${id}`, orderSchema).catch(() => null),
    (order) => order?.status === status,
  );
  const timeline = await stage.shop.timeline(id);
  const firstAt = timeline[0]?.time ?? '';
  for (const entry of timeline.slice(stage.printed.get(id))) stage.say(eventRow(entry, firstAt));
  stage.printed.set(id, timeline.length);
  stage.check('status of the order', found?.status, status);
}

/** How often each effect happened to the order, by the providers' ledgers. */
export async function effects({ sandbox }: Stage, id: OrderId | null) {
  const [payments, goods] = await Promise.all([
    sandbox.ledger('payments'),
    sandbox.ledger('warehouse'),
  ]);
  const counted: Record<string, number> = {};
  for (const { operation, order_id } of [...payments, ...goods]) {
    if (order_id === id) counted[operation] = (counted[operation] ?? 0) + 1;
  }
  return counted;
}

/** What an order that went well leaves in the ledgers. */
export const SHIPPED_ONCE = { authorize: 1, reserve: 1, capture: 1, ship: 1 };

/** The first value that is final, or the last one read. */
export function until<T>(
  { signal }: Stage,
  readNow: () => Promise<T>,
  isFinal: (value: T) => boolean,
): Promise<T> {
  return pollUntil(readNow, isFinal, { signal, timeoutMs: TIMEOUT_MS });
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return (JSON.stringify(value) ?? 'none').replaceAll(/["{}]/g, '').replaceAll(/[,:]/g, '$& ');
}
