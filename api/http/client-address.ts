/** The client's IP address behind proxies, for the request log. */
import { isIP } from 'node:net';

/** An address with a port, or an IPv6 address in brackets. */
const WITH_PORT = /^(\d+(?:\.\d+){3}):\d+$|^\[([^\]]+)\](?::\d+)?$/;
/** An IPv4 address on a socket that serves both families. */
const MAPPED = /^::ffff:(?=\d+(?:\.\d+){3}$)/i;

/**
 * The address that `trustedProxies` proxies saw. Each appends the address it got the request from to
 * X-Forwarded-For, so entries are counted from the right: those further left are the client's own
 * claims. Undefined when there is no valid address.
 */
export function clientAddress(request: {
  /** The other end of the connection. */
  readonly peer: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly trustedProxies: number;
}): string | undefined {
  const { peer = '', forwardedFor = '', trustedProxies } = request;
  const hops = [...forwardedFor.split(','), peer].map((hop) => hop.trim());
  const seen = hops.filter((hop) => hop !== '').slice(-1 - trustedProxies);
  const [, ipv4, ipv6] = WITH_PORT.exec(seen[0] ?? '') ?? [];
  const address = (ipv4 ?? ipv6 ?? seen[0] ?? '').replace(MAPPED, '');
  return isIP(address) === 0 ? undefined : address;
}
