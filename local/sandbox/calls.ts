/**
 * One HTTP attempt at a provider: fault, idempotency key, effect, answer, in that order. The effect
 * and the kept answer are one commit, so a repeat never finds the one without the other.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { MAX_WAIT_MS, MODES } from './faults.ts';
import type { Faults, Operation, Provider, Strike } from './faults.ts';
import type { Journal } from './journal.ts';
import type { IdempotencyStore, KeyState } from './idempotency-store.ts';

export type SandboxEnv = { Bindings: HttpBindings };
export type SandboxContext = Context<SandboxEnv>;

export interface Answer {
  readonly status: number;
  readonly body: object;
  /** False: the answer is not kept under the key, so a repeat is tried anew. */
  readonly keep: boolean;
}

/** What is the same for every call at one provider. */
export interface Counter {
  readonly provider: Provider;
  readonly journal: Journal;
  readonly faults: Faults;
  readonly keys: IdempotencyStore;
  readonly failed: () => Answer;
  readonly mismatch: () => Answer;
  readonly inUse: () => Answer;
}

export interface Call {
  readonly operation: Operation;
  /** Null when the call takes no idempotency key. */
  readonly key: string | null;
  readonly fingerprint: string;
  /** Synchronous. `refused` asks for the provider's business refusal instead of the effect. */
  readonly run: (refused: boolean) => Answer;
}

interface Sent {
  readonly status: number;
  readonly body: string;
  readonly replayed: boolean;
}

/** A kept answer is never turned into a refusal: the effect is done. */
const MODES_OF_REPEAT = MODES.filter((mode) => mode !== 'refuse');

/** Answers one attempt, or cuts its connection when a fault says so. */
export async function attempt(c: SandboxContext, counter: Counter, call: Call): Promise<Response> {
  const place = { provider: counter.provider, operation: call.operation };
  const repeat = stateOf(counter, call).kind === 'kept';
  const strike = counter.faults.strike(place, repeat ? MODES_OF_REPEAT : MODES);
  if (strike?.mode === 'down') return cut(c);
  if (strike?.mode === 'hang') return hang(c);
  if (strike?.mode === 'fail_before') return respond(sentOf(counter.failed()));
  const sent = await settle(counter, call, strike);
  if (strike?.mode === 'answer_lost') return cut(c);
  return respond(sent);
}

async function settle(counter: Counter, call: Call, strike: Strike | null): Promise<Sent> {
  const state = stateOf(counter, call);
  const { key } = call;
  if (state.kind === 'new' && key !== null) counter.keys.claim(key);
  try {
    if (strike !== null && strike.waitMs > 0) await wait(strike.waitMs);
    return sentFor(counter, call, { state, refused: strike?.mode === 'refuse' });
  } finally {
    if (state.kind === 'new' && key !== null) counter.keys.release(key);
  }
}

function sentFor(
  counter: Counter,
  call: Call,
  found: { readonly state: KeyState; readonly refused: boolean },
): Sent {
  const { state, refused } = found;
  switch (state.kind) {
    case 'in_use':
      return sentOf(counter.inUse());
    case 'mismatch':
      return sentOf(counter.mismatch());
    case 'kept':
      return { ...state.answer, replayed: true };
    case 'new':
      return counter.journal.transact(() => {
        const answer = call.run(refused);
        const sent = sentOf(answer);
        if (call.key !== null && answer.keep) {
          counter.keys.keep(call.key, call.fingerprint, sent);
        }
        return sent;
      });
  }
}

function stateOf(counter: Counter, call: Call): KeyState {
  return call.key === null ? { kind: 'new' } : counter.keys.look(call.key, call.fingerprint);
}

function sentOf(answer: Answer): Sent {
  return { status: answer.status, body: JSON.stringify(answer.body), replayed: false };
}

function respond(sent: Sent): Response {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  if (sent.replayed) headers.set('Idempotent-Replayed', 'true');
  return new Response(sent.body, { status: sent.status, headers });
}

/** Ends the connection without an answer: the client cannot know what was done. */
function cut(c: SandboxContext): Response {
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

async function hang(c: SandboxContext): Promise<Response> {
  const { socket } = c.env.incoming;
  await new Promise<void>((resolve) => {
    const giveUp = setTimeout(resolve, MAX_WAIT_MS);
    socket.once('close', () => {
      clearTimeout(giveUp);
      resolve();
    });
  });
  return cut(c);
}
