/** Replays recorded histories against a bundle of workflows. */
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { replayable, type RecordedHistory } from './histories.ts';

interface Replayed {
  readonly name: string;
  readonly error: string | null;
}

/** The error of each history, null when it replays. */
export async function replay(
  workflowBundle: WorkflowBundle,
  histories: ReadonlyMap<string, RecordedHistory>,
): Promise<Replayed[]> {
  const names = new Map<string, string>();
  const recorded = [...histories].map(([name, history]) => {
    const each = replayable(history);
    names.set(each.workflowId, name);
    return each;
  });
  const results: Replayed[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle },
    recorded,
  )) {
    const name = names.get(workflowId) ?? workflowId;
    results.push({ name, error: error === undefined ? null : String(error) });
  }
  return results;
}
