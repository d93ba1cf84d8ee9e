/**
 * Distinguishes "the database is unavailable" and "it takes no such value" from every other error,
 * whichever layer raised it: Prisma, its driver adapter, the pool or the socket. Only the first may be
 * retried for long; any other error of the database is the same the next time.
 */

/** Prisma's codes for an unreachable, closing or exhausted database (Prisma error reference). */
const PRISMA_CODES: readonly string[] = [
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2037',
  // A write conflict or a deadlock.
  'P2034',
];
/**
 * SQLSTATE 08: connection; 57P: shutdown; 57014: statement timeout; 53: out of resources; 58: system
 * error; 25006: a read-only standby; 40001, 40P01: the loser of a conflict or deadlock; 55P03: a lock
 * was not free in time.
 */
const SQLSTATE = /^(?:08...|57P..|57014|53...|58...|25006|40001|40P01|55P03)$/;
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
  return layersOf(error).some(saysUnavailable);
}

/** One statement lost a conflict or ran out of its time, on a connection that is as good as before. */
const OF_ONE_STATEMENT = /^(?:57014|40001|40P01|55P03|P2034)$/;

/** True when other requests would not reach the database either. */
export function isDatabaseUnreachable(error: unknown): boolean {
  const codes = layersOf(error).flatMap(codesOf);
  return isDatabaseUnavailable(error) && !codes.some((code) => OF_ONE_STATEMENT.test(code));
}

/** True when PostgreSQL cannot hold a value, such as a text with NUL: a retry cannot succeed. */
export function isValueRefused(error: unknown): boolean {
  return layersOf(error).some(saysValueRefused);
}

/** True when a statement failed because of the constraint of this name. PostgreSQL's message names it. */
export function violatesConstraint(error: unknown, constraint: string): boolean {
  return layersOf(error).some(({ message, originalMessage }) =>
    // The adapter has words of its own for a unique index, and keeps PostgreSQL's beside them.
    [message, originalMessage].some(
      (text) => typeof text === 'string' && text.includes(`"${constraint}"`),
    ),
  );
}

/** The SQLSTATE of the error, else Prisma's code (`P2002`); null when it has neither. */
export function databaseCode(error: unknown): string | null {
  const codes = layersOf(error).flatMap(codesOf);
  const known = (pattern: RegExp) => codes.find((code) => pattern.test(code)) ?? null;
  // Prisma's codes begin with P1 to P6, those of PL/pgSQL with P0.
  return known(/^(?!P[1-9])(?=.*\d)[0-9A-Z]{5}$/) ?? known(/^P\d{4}$/);
}

type Cause = Readonly<Record<string, unknown>>;

/** The error and its causes, the outermost first. */
function layersOf(error: unknown): readonly Cause[] {
  const layers: Cause[] = [];
  let current = error;
  while (layers.length < MAX_DEPTH && isRecord(current)) {
    layers.push(current);
    current = current['cause'] ?? current['meta'] ?? current['driverAdapterError'];
  }
  return layers;
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
    (code) => PRISMA_VALUE_CODES.includes(code) || VALUE_SQLSTATE.test(code),
  );
}

function codesOf({ code, errorCode, originalCode }: Cause): readonly string[] {
  return [code, errorCode, originalCode].filter((each) => typeof each === 'string');
}

function isUnavailableCode(code: string): boolean {
  return PRISMA_CODES.includes(code) || SOCKET_CODES.includes(code) || SQLSTATE.test(code);
}

function isRecord(value: unknown): value is Cause {
  return typeof value === 'object' && value !== null;
}
