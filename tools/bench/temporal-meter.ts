/** What a load costs Temporal: calls to its frontend, and the length of the histories it closed. */
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import type { Addresses } from '../../local/stack/addresses.ts';
import type { Home } from '../../local/stack/home.ts';

export type TemporalMeter = Awaited<ReturnType<typeof openTemporalMeter>>;

/** Where the stack's dev server has its metrics. Throws when the stack does not run one. */
export async function devServerMetrics(home: Home): Promise<string> {
  const log = await readFile(home.logFile('temporal'), 'utf8');
  const url = [...log.matchAll(/^Metrics: +(\S+)$/gm)].at(-1)?.[1];
  if (url === undefined) throw new Error('the Temporal server prints no address of metrics');
  return url;
}

/** `workflowType`: of an order. */
export async function openTemporalMeter(
  metricsUrl: string,
  addresses: Addresses,
  workflowType: string,
) {
  const { temporal: address, temporalNamespace: namespace } = addresses;
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace });
  return {
    /** All calls in the namespace since the server's start, polls of workers included. */
    async calls(): Promise<number> {
      const metrics = await (await fetch(metricsUrl)).text();
      const counts = metrics
        .split('\n')
        .filter((line) => line.startsWith('service_requests{'))
        .filter((line) => line.includes('service_name="frontend"'))
        .filter((line) => line.includes(`namespace="${namespace}"`))
        .map((line) => Number(line.slice(line.lastIndexOf(' '))));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    /** The mean length of the histories of workflows that have started since and are closed. */
    async historyEvents(since: Date): Promise<number> {
      const query = `WorkflowType = '${workflowType}' AND StartTime >= '${since.toISOString()}' AND ExecutionStatus = 'Completed'`;
      let [workflows, events] = [0, 0];
      for await (const { historyLength } of client.workflow.list({ query, pageSize: 1_000 })) {
        workflows += 1;
        events += historyLength;
      }
      return events / workflows;
    },
    close: () => connection.close(),
  };
}
