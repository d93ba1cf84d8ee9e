/** DBOS Transact (https://docs.dbos.dev): each step is a row in the same PostgreSQL. */
import { DBOS } from '@dbos-inc/dbos-sdk';
import type { OrderId } from '../../../domain/ids.ts';
import type { ShipmentAnswered } from '../../../workflows/checkout/contract.ts';
import { checkout, type Engine, type Peer } from './engine.ts';

const TOPIC = 'shipment';
const ANSWER_WITHIN_SECONDS = 3_600;

export async function createEngine({ steps, databaseUrl }: Peer): Promise<Engine> {
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: databaseUrl, logLevel: 'error' });
  const run = DBOS.registerWorkflow(
    (orderId: OrderId) =>
      checkout(
        { steps, orderId },
        {
          step: (name, work) => DBOS.runStep(work, { name, retriesAllowed: true, maxAttempts: 10 }),
          async answer() {
            const answer = await DBOS.recv<ShipmentAnswered>(TOPIC, ANSWER_WITHIN_SECONDS);
            if (answer === null) throw new Error('no answer of the warehouse');
            return answer;
          },
        },
      ),
    { name: 'checkout' },
  );
  await DBOS.launch();
  return {
    async start(orderId) {
      await DBOS.startWorkflow(run, { workflowID: orderId })(orderId);
    },
    shipmentAnswered: (orderId, answered) => DBOS.send(orderId, answered, TOPIC),
  };
}
