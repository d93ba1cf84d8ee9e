/**
 * Keep-alive connections to one receiver: connecting costs more than sending. One is reused only for
 * the same checked addresses, and not after a second of idling.
 */
import { Agent as HttpAgent, type AgentOptions, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions as TlsRequestOptions } from 'node:https';

export interface Checked {
  /** The addresses the connection may lead to, as one text. */
  readonly checked: string;
}

/** Below the five seconds after which common servers close an idle connection. */
const IDLE_MS = 1_000;
const KEPT: AgentOptions = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: 32 };

class CheckedHttpAgent extends HttpAgent {
  override getName(options?: RequestOptions): string {
    return `${super.getName(options)}|${checkedOf(options)}`;
  }
}

class CheckedHttpsAgent extends HttpsAgent {
  override getName(options?: TlsRequestOptions): string {
    return `${super.getName(options)}|${checkedOf(options)}`;
  }
}

/** Agents for requests that carry `Checked` among their options. */
export function createWebhookAgents() {
  return { http: new CheckedHttpAgent(KEPT), https: new CheckedHttpsAgent(KEPT) };
}

function checkedOf(options: object = {}): string {
  return 'checked' in options ? String(options.checked) : '';
}
