/**
 * Recorded histories as files: written without anything about the machine they were recorded on,
 * read as the worker replays them.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { HistoryAndWorkflowId } from '@temporalio/client';
import { z } from 'zod';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));

const historySchema = z.looseObject({
  events: z.array(z.looseObject({ eventId: z.string(), eventType: z.string() })).min(1),
});
export type RecordedHistory = z.infer<typeof historySchema>;

/** The names of all recorded histories, sorted. */
export function listHistories(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .toSorted();
}

export function readHistory(name: string): RecordedHistory {
  return historySchema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')));
}

/** Writes the history; the one of that name before is replaced. */
export function writeHistory(name: string, history: object): void {
  const recorded: unknown = JSON.parse(JSON.stringify(history));
  writeFileSync(fileOf(name), `${JSON.stringify(scrubbed(recorded), null, 1)}\n`);
}

/** The history as the worker takes it. */
export function replayable(workflowId: string, history: RecordedHistory): HistoryAndWorkflowId {
  return { workflowId, history: historyMessage().fromObject(history) };
}

/** All text of a history, payloads decoded: as base64 they would hide what they hold. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).join('\n');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, each]) => `${key}: ${key === 'data' ? decoded(each) : textOf(each)}`)
    .join('\n');
}

/** Who ran it and where its sources lay: of no use to a replay. */
const OF_THE_MACHINE: readonly string[] = ['identity', 'stackTrace'];

function scrubbed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(scrubbed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      OF_THE_MACHINE.includes(key) && typeof each === 'string' ? '' : scrubbed(each),
    ]),
  );
}

function decoded(value: unknown): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : textOf(value);
}

function fileOf(name: string): string {
  return `${FOLDER}${name}.json`;
}

type History = HistoryAndWorkflowId['history'];

/**
 * The message type as the SDK itself has it. The SDK's own reader of JSON histories does not work
 * where several copies of protobufjs are installed, each knowing only its own types.
 */
function historyMessage(): { fromObject(plain: object): History } {
  const ofClient = createRequire(createRequire(import.meta.url).resolve('@temporalio/client'));
  const messages: unknown = ofClient('@temporalio/proto');
  const path = ['temporal', 'api', 'history', 'v1', 'History'];
  const found = path.reduce(
    (at, part) => (isObject(at) ? Reflect.get(at, part) : undefined),
    messages,
  );
  if (!isHistoryMessage(found)) throw new Error('the SDK has no message type History');
  return found;
}

function isHistoryMessage(value: unknown): value is { fromObject(plain: object): History } {
  return isObject(value) && typeof Reflect.get(value, 'fromObject') === 'function';
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null;
}
