/** Client of the sandbox's control API: faults, the providers' ledgers and the inbox. */
import { z } from 'zod';
import { faultViewSchema, type FaultSpec, type FaultView } from '../local/sandbox/faults.ts';
import { effectSchema, type Effect } from '../local/sandbox/ledger.ts';
import { callFor } from './http.ts';

export interface SandboxClient {
  /** Armed faults and how often each fired. */
  faults(): Promise<readonly FaultView[]>;
  /** Arms a fault at `provider/operation`. */
  arm(place: string, fault: FaultSpec): Promise<void>;
  /** Works after the signal aborted too. */
  clearFaults(): Promise<void>;
  ledger(provider: 'payments' | 'warehouse'): Promise<readonly Effect[]>;
  /** What a person does at a provider, such as `payments/disputes`. Works after the signal aborted too. */
  act(path: string, body: object, method?: 'POST' | 'PUT'): Promise<void>;
  /** The orders whose payment waits for its shopper, who can still authorize it. */
  challenges(): Promise<readonly string[]>;
  /** The text messages, oldest first; with `to`, those to that number. */
  texts(to?: string): Promise<readonly SentText[]>;
  /** The Message-IDs of the e-mails to the address, e.g. `<ord_....shipped@...>`. */
  mails(to: string): Promise<readonly string[]>;
}

export interface SandboxClientOptions {
  readonly url: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const faultsSchema = z.object({ faults: z.array(faultViewSchema) });
const ledgerSchema = z.object({ effects: z.array(effectSchema) });
const challengesSchema = z.object({
  challenges: z.array(z.object({ order_id: z.string().nullable() })),
});
const textsSchema = z.object({
  texts: z.array(z.object({ sid: z.string(), to: z.string(), body: z.string() })),
});
export type SentText = z.output<typeof textsSchema>['texts'][number];
const inboxSchema = z.object({ mails: z.array(z.object({ message_id: z.string() })) });

/** Every method rejects when the sandbox cannot be reached. */
export function createSandboxClient(options: SandboxClientOptions): SandboxClient {
  const { url: base, signal, timeoutMs } = options;
  const get = <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    callFor({ url: new URL(path, base).href, signal, timeoutMs }, schema);
  return {
    faults: async () => (await get('/faults', faultsSchema)).faults,
    arm: async (place, body) => {
      const url = new URL(`/faults/${place}`, base).href;
      await callFor({ url, method: 'PUT', body, signal, timeoutMs }, z.unknown());
    },
    clearFaults: async () => {
      const url = new URL('/faults', base).href;
      await callFor({ url, method: 'DELETE', timeoutMs }, z.unknown());
    },
    act: async (path, body, method = 'POST') => {
      const url = new URL(`/${path}`, base).href;
      await callFor({ url, method, body, timeoutMs }, z.unknown());
    },
    ledger: async (provider) => (await get(`/ledger/${provider}`, ledgerSchema)).effects,
    challenges: async () => {
      const { challenges } = await get('/payments/challenges', challengesSchema);
      return challenges.flatMap(({ order_id: orderId }) => orderId ?? []);
    },
    texts: async (to) => {
      const query = to === undefined ? '' : `?to=${encodeURIComponent(to)}`;
      return (await get(`/sms${query}`, textsSchema)).texts;
    },
    mails: async (to) => {
      const { mails } = await get(`/inbox?to=${encodeURIComponent(to)}`, inboxSchema);
      return mails.map(({ message_id }) => message_id);
    },
  };
}
