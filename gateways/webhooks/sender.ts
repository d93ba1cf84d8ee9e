/**
 * Sends one signed webhook and returns its outcome. It never follows a redirect, never connects to an
 * unchecked address, and never throws for a failure of receiver or network. It neither retries nor
 * stores: its callers do.
 */
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { WebhookOutcome } from '../../domain/webhook.ts';
import { createWebhookAgents, type Checked } from './agents.ts';
import { retryAfterOf } from '../resilience/retry-after.ts';
import { readBodyHead } from './response.ts';
import {
  findTarget,
  hostOf,
  resolveBySystem,
  type Resolve,
  type ResolvedAddress,
} from './target.ts';

export interface WebhookMessage {
  readonly url: string;
  /** The `webhook-id`: the same on every attempt, so that a receiver can drop repeats. */
  readonly id: string;
  readonly body: string;
  /** `whsec_...`; each adds a signature, so that a receiver can rotate its secret. */
  readonly secrets: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface WebhookSender {
  send(message: WebhookMessage): Promise<WebhookOutcome>;
  /** Whether the URL could be sent to now. Sends nothing. */
  check(
    url: string,
  ): Promise<{ readonly kind: 'open' } | { readonly kind: 'blocked'; readonly reason: string }>;
}

export interface WebhookSenderOptions {
  /** Plain HTTP, any port and loopback too: for development and tests on one machine. */
  readonly allowLocal: boolean;
  /** From DNS resolution to the last byte read. Standard Webhooks: 15 to 30 s. */
  readonly deadlineMs?: number;
  readonly resolve?: Resolve;
}

const DEADLINE_MS = 15_000;
const USER_AGENT = 'Holdfast-Webhooks/1.0';

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { deadlineMs = DEADLINE_MS, resolve = resolveBySystem, allowLocal } = options;
  const rules = { allowLocal, resolve };
  const agents = createWebhookAgents();

  return {
    async send(message) {
      const startedAtMs = performance.now();
      const since = () => ({ latencyMs: Math.round(performance.now() - startedAtMs) });
      const overdue = AbortSignal.timeout(deadlineMs);
      const signal = message.signal ? AbortSignal.any([overdue, message.signal]) : overdue;
      const headers = signedHeaders(message);
      try {
        const target = await beforeAbort(findTarget(message.url, rules), signal);
        if (target.kind === 'blocked') return { ...target, ...since() };
        if (target.kind === 'unresolved') throw new SendError(target.reason);
        const response = await postWithRetry({ ...message, headers }, target, { agents, signal });
        const bodyHead = await readBodyHead(response, signal);
        const retryAfterMs = retryAfterOf(response.headers['retry-after']);
        const { statusCode: status = 0 } = response;
        return { kind: 'answered', status, retryAfterMs, bodyHead, ...since() };
      } catch (error) {
        return { kind: 'failed', reason: reasonOf(error, signal), ...since() };
      }
    },

    async check(url) {
      const signal = AbortSignal.timeout(deadlineMs);
      try {
        const target = await beforeAbort(findTarget(url, rules), signal);
        if (target.kind === 'open') return { kind: 'open' };
        return { kind: 'blocked', reason: target.reason };
      } catch (error) {
        return { kind: 'blocked', reason: reasonOf(error, signal) };
      }
    },
  };
}

/** Standard Webhooks 1.0: id, time of the attempt, one signature per secret. */
function signedHeaders({ id, body, secrets, headers }: WebhookMessage): Record<string, string> {
  const at = new Date();
  return {
    ...headers,
    'content-type': 'application/json',
    'user-agent': USER_AGENT,
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((each) => new Webhook(each).sign(id, at, body)).join(' '),
  };
}

interface Target {
  readonly url: URL;
  readonly addresses: readonly ResolvedAddress[];
}

interface Sending {
  /** Null: over a new connection that is not kept alive. */
  readonly agents: ReturnType<typeof createWebhookAgents> | null;
  readonly signal: AbortSignal;
}

/** A receiver may close an idle connection as we write to it: then retry once over a new one. */
async function postWithRetry(
  message: WebhookMessage,
  target: Target,
  sending: Sending,
): Promise<IncomingMessage> {
  try {
    return await post(message, target, sending);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    return post(message, target, { ...sending, agents: null });
  }
}

/** Sends the request; resolves with the head of the response. */
function post(
  message: WebhookMessage,
  { url, addresses }: Target,
  { agents, signal }: Sending,
): Promise<IncomingMessage> {
  const checked: Checked = { checked: addresses.map(({ address }) => address).join() };
  const body = Buffer.from(message.body);
  const isHttps = url.protocol === 'https:';
  const send = isHttps ? requestHttps : requestHttp;
  const request = send({
    ...checked,
    protocol: url.protocol,
    host: hostOf(url),
    port: url.port,
    path: `${url.pathname}${url.search}`,
    method: 'POST',
    headers: {
      ...message.headers,
      'content-length': body.byteLength,
    },
    lookup: pinnedLookup(addresses),
    agent: agents?.[isHttps ? 'https' : 'http'] ?? false,
    signal,
  });
  return responseTo(request, body);
}

function responseTo(request: ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (_, socket) => socket.destroy());
    request.once('close', () => reject(new SendError('connection_closed')));
    request.on('error', (error) => {
      const isReset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(request.reusedSocket && isReset ? new StaleConnection() : error);
    });
    request.end(body);
  });
}

/** Resolves to the checked addresses only. */
function pinnedLookup(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else if (first) callback(null, first.address, first.family);
    else callback(new SendError('dns_no_address'), '');
  };
}

/** Its message is the outcome's reason code. */
class SendError extends Error {}

/** A reused connection that the receiver had already closed. */
class StaleConnection extends Error {}

function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(new SendError('deadline'));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new SendError('deadline')), { once: true });
  });
  return Promise.race([work, aborted]);
}

/** Codes of sockets and TLS (`econnrefused`, `cert_has_expired`), never a message. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'deadline';
  if (error instanceof SendError) return error.message;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return `connection_${error.code.toLowerCase()}`;
  }
  return 'connection_failed';
}
