/**
 * Distinguishes "the database is unavailable" and "it takes no such value" from every other error,
 * whichever layer raised it: Prisma, its driver adapter, the pool or the socket. It decides nothing
 * else.
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

/** Prisma's codes: too long, invalid, out of range, not to be parsed. */
const PRISMA_VALUE_CODES: readonly string[] = ['P2000', 'P2007', 'P2009', 'P2020', 'P2033'];
/**
 * SQLSTATE 22001: too long; 22003: number out of range; 22007-9: time; 22021: NUL or not UTF-8; 22P02,
 * 22P03: not of the type; 22P05: not in the encoding; 54000, 54001: JSON too large or too deep.
 */
const VALUE_SQLSTATE = /^(?:2200[13789]|22021|22P0[235]|5400[01])$/;
/** The driver adapter's names for the same. */
const VALUE_KINDS: readonly string[] = ['LengthMismatch', 'ValueOutOfRange', 'InvalidInputValue'];

/** True when a retry can succeed because the database was unavailable or overloaded. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return someCause(error, saysUnavailable);
}

/** True when PostgreSQL cannot hold a value, such as a text with NUL: a retry cannot succeed. */
export function isValueRefused(error: unknown): boolean {
  return someCause(error, saysValueRefused);
}

type Cause = Readonly<Record<string, unknown>>;

function someCause(error: unknown, isSo: (cause: Cause) => boolean): boolean {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && isRecord(current); depth += 1) {
    if (isSo(current)) return true;
    current = current['cause'] ?? current['meta'] ?? current['driverAdapterError'];
  }
  return false;
}

function saysUnavailable(error: Cause): boolean {
  const { kind, message } = error;
  if (codesOf(error).some(isUnavailableCode)) return true;
  if (typeof kind === 'string' && ADAPTER_KINDS.includes(kind)) return true;
  return typeof message === 'string' && MESSAGES.test(message);
}

function saysValueRefused(error: Cause): boolean {
  const { kind } = error;
  if (typeof kind === 'string' && VALUE_KINDS.includes(kind)) return true;
  return codesOf(error).some(
    (code) =>
      typeof code === 'string' && (PRISMA_VALUE_CODES.includes(code) || VALUE_SQLSTATE.test(code)),
  );
}

function codesOf({ code, errorCode, originalCode }: Cause): readonly unknown[] {
  return [code, errorCode, originalCode];
}

function isUnavailableCode(code: unknown): boolean {
  if (typeof code !== 'string') return false;
  return PRISMA_CODES.includes(code) || SOCKET_CODES.includes(code) || SQLSTATE.test(code);
}

function isRecord(value: unknown): value is Cause {
  return typeof value === 'object' && value !== null;
}
