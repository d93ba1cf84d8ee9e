/** The stack's output and the logs of its child processes. Log files are bounded. */
import { createWriteStream, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { prettyFactory } from 'pino-pretty';
import { z } from 'zod';
import { PRIVATE_FILE } from './home.ts';

const MAX_LOG_BYTES = 50 * 1024 * 1024;
const TAIL_LINES = 15;
const WARN = 40;

/** Prints one line of the stack itself. */
export function say(line: string): void {
  console.log(line);
}

/** Runs one step of the start and prints its result and duration. */
export async function step(name: string, work: () => Promise<string>): Promise<void> {
  const startedAt = performance.now();
  const note = await work();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  say(`  ${name.padEnd(12)}${dim(`${seconds.padStart(5)} s`)}  ${note}`);
}

export function dim(text: string): string {
  return process.stdout.isTTY ? styleText('dim', text) : text;
}

export function bold(text: string): string {
  return process.stdout.isTTY ? styleText('bold', text) : text;
}

/** The log file's last lines, for the message about a failed start. */
export function tail(logFile: string, count = TAIL_LINES): string {
  if (!existsSync(logFile)) return '';
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  return lines
    .slice(-count)
    .map((line) => `    ${line.slice(0, 500)}`)
    .join('\n');
}

/** Empties the log of the last run. */
export function startLog(logFile: string): void {
  rmSync(logFile, { force: true });
}

/**
 * Writes a piped child's lines to its log file and prints warnings and errors, or all lines. JSON
 * lines are pino's and are printed as short text; others are printed unchanged.
 */
export function follow(
  child: ChildProcess,
  options: { readonly name: string; readonly logFile: string; readonly showAll: boolean },
): void {
  const log = createWriteStream(options.logFile, { flags: 'a', mode: PRIVATE_FILE });
  // A full disk must not end the stack.
  log.on('error', () => undefined);
  let bytes = existsSync(options.logFile) ? statSync(options.logFile).size : 0;
  let open = 0;
  const readLines = (stream: Readable | null): void => {
    if (stream === null) return;
    open += 1;
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      bytes += line.length + 1;
      if (bytes < MAX_LOG_BYTES) log.write(`${line}\n`);
      const text = present(line, options.showAll);
      if (text !== null) say(`${dim(options.name)} ${text}`);
    });
    lines.on('close', () => {
      open -= 1;
      if (open === 0) log.end();
    });
  };
  readLines(child.stdout);
  readLines(child.stderr);
}

const entrySchema = z.object({
  level: z.number(),
  err: z.object({ message: z.string().optional(), code: z.string().optional() }).optional(),
});

/** Whole errors and ids are only in the log file. */
const pretty = prettyFactory({
  colorize: process.stdout.isTTY,
  ignore: 'pid,hostname,err,request_id,correlation_id,component,sdkComponent,taskQueue',
  translateTime: 'HH:MM:ss',
  singleLine: true,
});

function present(line: string, showAll: boolean): string | null {
  if (line.trim() === '') return null;
  const entry = line.startsWith('{') ? parseEntry(line) : null;
  if (entry === null) return line;
  if (!showAll && entry.level < WARN) return null;
  const why = entry.err?.message ?? entry.err?.code;
  return `${pretty(line).trimEnd()}${why === undefined ? '' : ` (${why})`}`;
}

function parseEntry(line: string): z.infer<typeof entrySchema> | null {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    // A line that only looks like JSON is printed unchanged.
    return null;
  }
}
