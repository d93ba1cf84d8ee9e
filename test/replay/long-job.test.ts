import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { readHistory, type RecordedHistory } from './histories.ts';
import { replay } from './replaying.ts';

const PROGRESS = { total: 2, done: 1, failed: 0 };

test('a job whose history is long continues in a new run with the same input', async () => {
  const code = readFileSync(inject('workflowBundle'), 'utf8');
  const histories = new Map([['long', longHistory()]]);
  expect(await replay({ code }, histories)).toEqual([{ name: 'long', error: null }]);
});

/** After the first slice, with more to do, Temporal suggests a new run, and the workflow begins one. */
function longHistory(): RecordedHistory {
  const { events } = readHistory('report-succeeded');
  const [started, ...others] = events.slice(0, 10).map((event) => structuredClone(event));
  if (started === undefined) throw new Error('no events');
  for (const event of others) {
    const completed = event['activityTaskCompletedEventAttributes'];
    if (isResult(completed)) {
      const result = JSON.stringify({ kind: 'more', progress: PROGRESS });
      completed.result.payloads[0].data = Buffer.from(result).toString('base64');
    }
    const task = event['workflowTaskStartedEventAttributes'];
    if (event.eventId === '9' && isObject(task)) task['suggestContinueAsNew'] = true;
  }
  const ended = { workflowType: { name: 'report' }, newExecutionRunId: 'next' };
  const last = {
    eventId: '11',
    eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW',
    workflowExecutionContinuedAsNewEventAttributes: {
      ...ended,
      workflowTaskCompletedEventId: '10',
    },
  };
  return { events: [started, ...others, last] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isResult(
  value: unknown,
): value is { result: { payloads: [{ data: string }, ...unknown[]] } } {
  return isObject(value) && 'result' in value;
}
