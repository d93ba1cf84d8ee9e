/**
 * One HTTP attempt at a provider: fault, idempotency key, effect, response, in that order. The
 * effect and the saved response are one commit, so a repeat never finds one without the other.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { orderIn, type CallLog } from './call-log.ts';
import { MAX_WAIT_MS, MODES } from './faults.ts';
import type { Faults, Operation, Provider, RejectedWith, TriggeredFault } from './faults.ts';
import type { Journal } from './journal.ts';
import type { IdempotencyStore, KeyState } from './idempotency-store.ts';

export type SandboxEnv = { Bindings: HttpBindings };
export type SandboxContext = Context<SandboxEnv>;

export interface ProviderResponse {
  readonly status: number;
  readonly body: object;
  /** True: saved under the key and replayed. False: a repeat is carried out. */
  readonly replayable: boolean;
}

/** What is the same for every call at one provider. */
export interface ProviderContext {
  readonly provider: Provider;
  readonly journal: Journal;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly keys: IdempotencyStore;
  readonly failed: () => ProviderResponse;
  /** The error in the provider's own form. */
  readonly rejected: (error: RejectedWith) => ProviderResponse;
  readonly keyMismatch: () => ProviderResponse;
  readonly keyInUse: () => ProviderResponse;
}

export interface Call {
  readonly operation: Operation;
  /** Null when the call takes no idempotency key. */
  readonly key: string | null;
  readonly fingerprint: string;
  /** Where neither key nor URL names the order. */
  readonly orderId?: string | null;
  /** Synchronous. `refused` asks for the provider's business refusal instead of the effect. */
  readonly run: (refused: boolean) => ProviderResponse;
}

interface Sent {
  readonly status: number;
  readonly body: string;
  readonly replayed: boolean;
}

/** A saved response is replayed, whatever it is: no fault turns it into another one. */
const MODES_OF_REPEAT = MODES.filter((mode) => mode !== 'refuse' && mode !== 'fail_saved');

/** Responds to one attempt, or cuts its connection when a fault says so. */
export async function attempt(
  c: SandboxContext,
  provider: ProviderContext,
  call: Call,
): Promise<Response> {
  const place = { provider: provider.provider, operation: call.operation };
  const atMs = Date.now();
  const isRepeat = stateOf(provider, call).kind === 'saved';
  const fault = provider.faults.trigger(place, isRepeat ? MODES_OF_REPEAT : MODES);
  const orderId = call.orderId ?? orderIn(`${c.req.header('idempotency-key')} ${c.req.url}`);
  const log = (status: number | null, replayed = false): void =>
    provider.calls.record({
      ...place,
      atMs,
      orderId,
      status,
      fault: fault?.mode ?? null,
      replayed,
    });
  if (fault?.mode === 'down' || fault?.mode === 'hang') {
    log(null);
    return fault.mode === 'down' ? cut(c) : hang(c);
  }
  const sent = await sentFor(provider, call, fault);
  const isLost = fault?.mode === 'answer_lost';
  log(isLost ? null : sent.status, sent.replayed);
  if (isLost) return cut(c);
  return respond(sent, fault?.error.retry_after);
}

/** The response to an attempt that is not cut off before its effect. */
function sentFor(
  provider: ProviderContext,
  call: Call,
  fault: TriggeredFault | null,
): Sent | Promise<Sent> {
  if (fault?.mode === 'fail_before') return serialize(provider.failed());
  if (fault?.mode === 'reject') return serialize(provider.rejected(fault.error));
  if (fault?.mode === 'fail_saved')
    return carryOut(provider, { ...call, run: provider.failed }, fault);
  return carryOut(provider, call, fault);
}

/** A response with an effect behind it, or one that stays true. */
export function ok(body: object, status = 200): ProviderResponse {
  return { status, body, replayable: true };
}

/** The text as JSON, or undefined, which no schema accepts. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function carryOut(
  provider: ProviderContext,
  call: Call,
  fault: TriggeredFault | null,
): Promise<Sent> {
  const state = stateOf(provider, call);
  const { key } = call;
  if (state.kind === 'new' && key !== null) provider.keys.claim(key);
  try {
    if (fault !== null && fault.waitMs > 0) await wait(fault.waitMs);
    if (state.kind === 'in_use') return serialize(provider.keyInUse());
    if (state.kind === 'mismatch') return serialize(provider.keyMismatch());
    if (state.kind === 'saved') return { ...state.response, replayed: true };
    return runOnce(provider, call, fault?.mode === 'refuse');
  } finally {
    if (state.kind === 'new' && key !== null) provider.keys.release(key);
  }
}

function runOnce({ journal, keys }: ProviderContext, call: Call, refused: boolean): Sent {
  return journal.transact(() => {
    const response = call.run(refused);
    const sent = serialize(response);
    if (call.key !== null && response.replayable) keys.save(call.key, call.fingerprint, sent);
    return sent;
  });
}

function stateOf(provider: ProviderContext, { key, fingerprint }: Call): KeyState {
  return key === null ? { kind: 'new' } : provider.keys.find(key, fingerprint);
}

function serialize({ status, body }: ProviderResponse): Sent {
  return { status, body: JSON.stringify(body), replayed: false };
}

function respond({ status, body, replayed }: Sent, retryAfter?: string): Response {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  if (replayed) headers.set('Idempotent-Replayed', 'true');
  if (retryAfter !== undefined) headers.set('Retry-After', retryAfter);
  return new Response(body, { status, headers });
}

/** Ends the connection without a response: the client cannot know what was done. */
function cut(c: SandboxContext): Response {
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

async function hang(c: SandboxContext): Promise<Response> {
  const { socket } = c.env.incoming;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, MAX_WAIT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return cut(c);
}
