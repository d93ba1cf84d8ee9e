import { log } from '@temporalio/activity';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createLog, createTemporalRuntime } from '../../telemetry/logging.ts';
import { startWorker } from '../../worker/worker.ts';
import { SWEEP_WORKFLOW } from '../../workflows/operations/contract.ts';
import { eventually } from '../support/eventually.ts';
import { openNamespace, useRuntime } from '../support/temporal.ts';

const TRACE = 'a'.repeat(32);

const logged: string[] = [];
useRuntime(createTemporalRuntime(createLog('info', { write: (line) => void logged.push(line) })));

test('an activity logs the trace id of its workflow’s memo, and none when the memo has no valid one', async () => {
  const { client, connection, namespace, close } = await openNamespace();
  onTestFinished(close);
  const logLine = async () => {
    log.warn('logged by an activity');
    return {};
  };
  const activities = {
    expirePending: logLine,
    checkStuckOrders: logLine,
    checkStuckRefunds: logLine,
    checkStuckJobs: logLine,
    purgeExpired: logLine,
    recordSweep: logLine,
  };
  const worker = startWorker({
    connected: async () => connection,
    namespace,
    taskQueue: 'logs',
    activities,
    maxConcurrentActivities: 4,
    workflowBundle: inject('workflowBundle'),
    log: createLog('silent'),
  });
  onTestFinished(() => worker.stop());
  const memos = {
    traced: { traceparent: `00-${TRACE}-${'b'.repeat(16)}-01` },
    // Anyone who may start workflows can set a memo.
    malformed: { traceparent: TRACE },
    untraced: {},
  };
  for (const [workflowId, memo] of Object.entries(memos)) {
    await client.workflow.execute(SWEEP_WORKFLOW, { workflowId, memo, taskQueue: 'logs' });
  }
  const lines = Object.keys(activities).length * Object.keys(memos).length;
  await eventually(() => expect(tracesOf(logged)).toHaveLength(lines));
  expect(new Set(tracesOf(logged))).toEqual(
    new Set([`traced ${TRACE}`, 'malformed undefined', 'untraced undefined']),
  );
});

const line = z.looseObject({
  msg: z.string(),
  workflowId: z.string().optional(),
  trace_id: z.string().optional(),
});

/** The workflow and trace id of each line that an activity logged. */
function tracesOf(logged: readonly string[]): readonly string[] {
  const lines = logged.map((each) => line.parse(JSON.parse(each)));
  return lines
    .filter(({ msg }) => msg === 'logged by an activity')
    .map(({ workflowId, trace_id: traceId }) => `${workflowId} ${traceId}`);
}
