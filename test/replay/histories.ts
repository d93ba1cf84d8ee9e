/**
 * Recorded histories as files, written without data about the machine that recorded them, and read in
 * the form that the worker replays.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { HistoryAndWorkflowId } from '@temporalio/client';
import { z } from 'zod';
import {
  checkoutWorkflowId,
  isJobId,
  isOrderId,
  isRefundId,
  jobWorkflowId,
  refundWorkflowId,
} from '../../domain/ids.ts';

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

/** Writes the history; replaces one of the same name. */
export function writeHistory(name: string, history: object): void {
  const recorded: unknown = JSON.parse(JSON.stringify(history));
  writeFileSync(fileOf(name), `${JSON.stringify(scrubbed(recorded), null, 1)}\n`);
}

/** The history in the worker's form, under the id of its workflow, which is made from its input. */
export function replayable(history: RecordedHistory): HistoryAndWorkflowId {
  const workflowId = workflowIdOf(textOf(history.events[0]));
  return { workflowId, history: historyMessage().fromObject(history) };
}

function workflowIdOf(input: string): string {
  const idWith = (prefix: string): string =>
    new RegExp(`(?:${prefix})_[0-9a-z]{26}`).exec(input)?.[0] ?? '';
  const [refundId, orderId, jobId] = [idWith('rfd'), idWith('ord'), idWith('rep|imp|blk')];
  if (isRefundId(refundId)) return refundWorkflowId(refundId);
  if (isJobId(jobId)) return jobWorkflowId(jobId);
  return isOrderId(orderId) ? checkoutWorkflowId(orderId) : 'no id';
}

/** All text of a history, with its payloads decoded from base64. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).join('\n');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, each]) => `${key}: ${key === 'data' ? decoded(each) : textOf(each)}`)
    .join('\n');
}

/** Members about the machine, of no use to a replay. */
const MACHINE_MEMBERS: readonly string[] = ['identity', 'stackTrace'];

function scrubbed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(scrubbed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      MACHINE_MEMBERS.includes(key) && typeof each === 'string' ? '' : scrubbed(each),
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
 * The SDK's own message type. Its reader of JSON histories fails when several copies of protobufjs are
 * installed, each with only its own types.
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
