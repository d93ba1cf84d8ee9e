/**
 * Connections kept between webhooks to one receiver: making one costs more than sending. One is used
 * again only for addresses that were checked again, and not after a second's rest.
 */
import { Agent as HttpAgent, type AgentOptions, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions as TlsRequestOptions } from 'node:https';

export interface Checked {
  /** The addresses the connection may lead to, as one text. */
  readonly checked: string;
}

/** Below the five seconds after which common servers close a connection that rests. */
const REST_MS = 1_000;
const KEPT: AgentOptions = { keepAlive: true, timeout: REST_MS, maxFreeSockets: 32 };

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
