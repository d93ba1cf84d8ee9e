/**
 * Distinguishes "the database is unavailable" from every other error, whichever layer raised it:
 * Prisma, its driver adapter, the pool or the socket. It decides nothing else.
 */

/** Prisma's codes for an unreachable, closing or exhausted database (Prisma error reference). */
const PRISMA_CODES: readonly string[] = ['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037'];
/**
 * SQLSTATE 08: connection; 57P01-05: shutdown; 57014: statement timeout; 53: out of resources; 25006:
 * a read-only standby.
 */
const SQLSTATE = /^(?:08...|57P0[1-5]|57014|53...|25006)$/;
const SOCKET_CODES: readonly string[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
];
/** The driver adapter's names for the same. */
const ADAPTER_KINDS: readonly string[] = [
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
];
/** Messages of pg, its pool and BoundedPool, which have no code. */
const MESSAGES =
  /too many requests wait for a database connection|expired transaction|timeout exceeded when trying to connect|Query read timeout|Connection terminated|Client has encountered a connection error|unable to start a transaction in the given time|Can't reach database server|Cannot use a pool after calling end/i;
/** Causes are nested a few levels deep; a cycle must not loop forever. */
const MAX_DEPTH = 6;

/** True when a retry can succeed because the database was unavailable or overloaded. */
export function isDatabaseUnavailable(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && isRecord(current); depth += 1) {
    if (saysUnavailable(current)) return true;
    current = current['cause'] ?? current['meta'] ?? current['driverAdapterError'];
  }
  return false;
}

function saysUnavailable(error: Readonly<Record<string, unknown>>): boolean {
  const { code, errorCode, originalCode, kind, message } = error;
  if ([code, errorCode, originalCode].some(isUnavailableCode)) return true;
  if (typeof kind === 'string' && ADAPTER_KINDS.includes(kind)) return true;
  return typeof message === 'string' && MESSAGES.test(message);
}

function isUnavailableCode(code: unknown): boolean {
  if (typeof code !== 'string') return false;
  return PRISMA_CODES.includes(code) || SOCKET_CODES.includes(code) || SQLSTATE.test(code);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
