/** Starts workflows so that what operators see of them never keeps their work from being done. */
import type { Client, WorkflowOptions, WorkflowStartOptions } from '@temporalio/client';
import type { OrderId } from '../domain/ids.ts';
import { consolePage } from '../domain/pages.ts';
import { ignoreAlreadyStarted, isRejected } from './deadline.ts';

type Shown = Partial<Pick<WorkflowOptions, 'typedSearchAttributes' | 'memo' | 'staticSummary'>>;

/**
 * Starts with the options. If the server refuses them for good, starts once more without search
 * attributes, memo and summary: a namespace may lack an attribute, or have lower limits than the
 * defaults (workflows/limits.ts). Such a workflow does its work and is found by its id.
 */
export async function startShown<O extends Shown, T>(
  options: O,
  start: (options: O) => Promise<T>,
): Promise<T> {
  try {
    return await start(options);
  } catch (error) {
    if (!isRejected(error)) throw error;
    return start({ ...options, typedSearchAttributes: [], memo: {}, staticSummary: '' });
  }
}

/** Starts the workflow unless one with its id runs or, by its reuse policy, has finished. */
export async function startOnce<O extends WorkflowStartOptions>(
  { workflow }: Client,
  type: string,
  options: O,
): Promise<{ readonly kind: 'started' | 'already_started' }> {
  const start = startShown(options, (shown) => workflow.start(type, shown));
  return { kind: (await ignoreAlreadyStarted(start)) ? 'started' : 'already_started' };
}

/** Adds the page of a workflow's order in the console, where the address of the API is known. */
export function linkToConsole(publicUrl: string | undefined) {
  return <T extends { readonly orderId: OrderId }>(start: T) => ({
    ...start,
    consoleUrl: publicUrl === undefined ? undefined : consolePage(publicUrl, start.orderId),
  });
}
