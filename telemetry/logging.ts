/**
 * The process's log: JSON lines on standard output. Errors are written without what their messages
 * may quote: a database error repeats the values of the statement, people's data among them (G8).
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
/** Causes are nested a few levels deep; a cycle must not hang us. */
const MAX_DEPTH = 4;

export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, base: null, serializers: { err: (error: unknown) => describe(error) } };
  return destination ? pino(options, destination) : pino(options);
}

/**
 * Options of the SDK's runtime: what it says goes into the same log, its native core included. The
 * core repeats every call that a server that is away does not answer; temporal.ts says that once.
 * Its warnings about a workflow's own code are kept: nothing else tells that a task fails for ever.
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

/** What is tried again. What comes of it is in the order's events and the Web UI. */
const EXPECTED: readonly string[] = [
  'Activity failed',
  'Error while completing workflow activation',
  'Task not found when completing',
];

/** The SDK's own messages from `info` up, in the same log. */
export function createTemporalLogger(log: Logger): TemporalLogger {
  const child = log.child({ component: 'temporal' });
  const level: LogLevel = child.isLevelEnabled('debug') ? 'DEBUG' : 'INFO';
  return new DefaultLogger(level, ({ level: at, message, meta }) => {
    const { error, ...rest } = meta ?? {};
    // The native core hands over errors as text.
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

/** What happened and where, never with which values. */
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
