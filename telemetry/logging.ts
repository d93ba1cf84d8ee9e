/**
 * The process's log: JSON lines on standard output. Error messages that may quote values are left
 * out: a database error repeats the values of its statement, personal data among them.
 */
import {
  DefaultLogger,
  type Logger as TemporalLogger,
  type LogLevel,
  type RuntimeOptions,
} from '@temporalio/worker';
import { pino, type DestinationStream, type Logger } from 'pino';

const LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const;
/** Of nested causes; a cycle must not hang the process. */
const MAX_DEPTH = 4;

export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, base: null, serializers: { err: (error: unknown) => describe(error) } };
  return destination ? pino(options, destination) : pino(options);
}

/**
 * Options of the SDK's runtime: it logs into the same log, its native core included. The core warns
 * about every retried call to an unreachable server; temporal/connection.ts logs that once. The
 * core's warnings about workflow code are kept: nothing else reports a task that always fails.
 */
export function createTemporalRuntime(log: Logger): RuntimeOptions {
  return {
    logger: createTemporalLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: 'ERROR,temporalio_sdk_core::worker::workflow=WARN', forward: {} },
    },
  };
}

/** No trouble: failures that are retried, whose outcome is in the order's events and the Web UI; a worker of activities alone. */
const EXPECTED: readonly string[] = [
  'Activity failed',
  'Error while completing workflow activation',
  'Task not found when completing',
  'No workflows registered, not polling for workflow tasks',
];

/** The SDK's own messages from `info` up, in the same log. */
export function createTemporalLogger(log: Logger): TemporalLogger {
  const child = log.child({ component: 'temporal' });
  const level: LogLevel = child.isLevelEnabled('debug') ? 'DEBUG' : 'INFO';
  return new DefaultLogger(level, ({ level: at, message, meta }) => {
    const { error, ...rest } = meta ?? {};
    // The native core passes errors as text.
    const why = error instanceof Error ? { err: error } : error === undefined ? {} : { error };
    child[EXPECTED.includes(message) ? 'info' : LEVELS[at]]({ ...rest, ...why }, message);
  });
}

interface Described {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  readonly frames?: readonly string[];
  readonly cause?: Described;
}

/** The error's type and place, without values. */
function describe(error: unknown, depth = 0): Described {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return {
    type: error.name,
    ...code,
    ...(quotesValues(error) ? {} : { message: error.message }),
    frames: frames.map((line) => line.trim()).slice(0, 12),
    ...(error.cause !== undefined && depth < MAX_DEPTH
      ? { cause: describe(error.cause, depth + 1) }
      : {}),
  };
}

/** Prisma, its adapter and pg repeat arguments in their messages; zod and JSON repeat the input. */
function quotesValues(error: Error): boolean {
  return (
    /^(?:PrismaClient|DriverAdapterError|ZodError|SyntaxError)/.test(error.name) ||
    'severity' in error
  );
}
