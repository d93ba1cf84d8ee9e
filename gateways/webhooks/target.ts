/**
 * Decides which URLs a webhook may be sent to, and which addresses they may resolve to. A URL chosen
 * by a customer must not reach our own network (OWASP: server-side request forgery).
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isLoopbackAddress, isPublicAddress } from './public-address.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a host name. Rejects when there are none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface TargetRules {
  /** Plain HTTP, any port and loopback too: for development and tests on one machine. */
  readonly allowLocal: boolean;
  readonly resolve: Resolve;
}

export type Target =
  | { readonly kind: 'open'; readonly url: URL; readonly addresses: readonly ResolvedAddress[] }
  | { readonly kind: 'blocked'; readonly reason: BlockedReason }
  | { readonly kind: 'unresolved'; readonly reason: string };

export type BlockedReason =
  | 'not_a_url'
  | 'url_too_long'
  | 'not_https'
  | 'credentials_in_url'
  | 'port_not_allowed'
  | 'address_not_public';

const MAX_URL_LENGTH = 2_048;
const PORTS: readonly string[] = ['', '8443'];
/** Each is checked; a name with more is no webhook receiver's. */
const MAX_ADDRESSES = 32;

/**
 * Resolves the URL. Only the returned addresses may be connected to: another resolution could return
 * others (DNS rebinding). One address that is not public blocks them all.
 */
export async function findTarget(text: string, rules: TargetRules): Promise<Target> {
  const url = readUrl(text, rules.allowLocal);
  if (!(url instanceof URL)) return { kind: 'blocked', reason: url };
  const found = await addressesOf(hostOf(url), rules.resolve);
  if (typeof found === 'string') return { kind: 'unresolved', reason: found };
  const allowed = ({ address }: ResolvedAddress): boolean =>
    isPublicAddress(address) || (rules.allowLocal && isLoopbackAddress(address));
  return found.every(allowed)
    ? { kind: 'open', url, addresses: found }
    : { kind: 'blocked', reason: 'address_not_public' };
}

/** The system's resolver: the same that a connection by name uses. */
export async function resolveBySystem(hostname: string): Promise<readonly ResolvedAddress[]> {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** The host for a resolver or socket: an IPv6 address without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** WHATWG URL converts octal, hexadecimal, short and full-width IPv4 forms into dotted decimals. */
function readUrl(text: string, allowLocal: boolean): URL | BlockedReason {
  if (text.length > MAX_URL_LENGTH) return 'url_too_long';
  if (!URL.canParse(text)) return 'not_a_url';
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowLocal && url.protocol === 'http:')) return 'not_https';
  if (url.username !== '' || url.password !== '') return 'credentials_in_url';
  if (!allowLocal && !PORTS.includes(url.port)) return 'port_not_allowed';
  return url;
}

async function addressesOf(
  host: string,
  resolve: Resolve,
): Promise<readonly ResolvedAddress[] | string> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family: family === 6 ? 6 : 4 }];
  try {
    const addresses = await resolve(host);
    if (addresses.length === 0) return 'dns_no_address';
    return addresses.length > MAX_ADDRESSES ? 'dns_too_many_addresses' : addresses;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    return `dns_${code.toLowerCase()}`;
  }
}
