/**
 * Looks for persons in Temporal (G8): the newest workflows of every kind, all they carry decoded,
 * searched for what the database has about the person behind each order they name.
 */
import type { Client } from '@temporalio/client';
import { findOrderPersons, type OrderPerson } from '../../prisma/operations/audit-queries.ts';
import type { Database } from '../../prisma/client/client.ts';
import type { Violation } from '../../prisma/operations/invariants.ts';
import { CHECKOUT_WORKFLOW } from '../../workflows/checkout/contract.ts';
import type { Check } from './check.ts';
import { readable } from './readable.ts';

export interface PrivacyCheckOptions {
  readonly db: Database;
  /** Throws when Temporal cannot be asked. */
  readonly client: () => Client;
  /** So many checkouts and as many other workflows. Default 20. */
  readonly sample?: number | undefined;
}

const SAMPLE = 20;
const CALL_DEADLINE_MS = 10_000;
const ORDER_IDS = /ord_[0-7][0-9a-hjkmnp-tv-z]{25}/g;
/** A workflow of events names few orders; more than this is not looked up. */
const MAX_ORDERS = 500;
/** A shorter name is found in everything. */
const SHORTEST = 4;

export function privacyCheck(options: PrivacyCheckOptions): Check {
  return {
    name: 'no_person_in_temporal',
    title:
      'No e-mail, name, phone, street or payment method is in the newest workflows at Temporal',
    run: () => findPersons(options),
  };
}

async function findPersons(options: PrivacyCheckOptions): Promise<readonly Violation[]> {
  const client = options.client();
  const found: Violation[] = [];
  for (const kind of [`= '${CHECKOUT_WORKFLOW}'`, `!= '${CHECKOUT_WORKFLOW}'`]) {
    const query = `WorkflowType ${kind}`;
    for (const { workflowId, runId } of await newest(client, query, options.sample ?? SAMPLE)) {
      const text = await textOf(client, workflowId, runId);
      const details = await personsIn(options.db, text);
      found.push(...details.map((detail) => ({ subject: workflowId, detail })));
    }
  }
  return found;
}

async function newest(client: Client, query: string, sample: number) {
  return client.withDeadline(Date.now() + CALL_DEADLINE_MS, async () => {
    const runs: { readonly workflowId: string; readonly runId: string }[] = [];
    if (sample === 0) return runs;
    for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: sample })) {
      runs.push({ workflowId, runId });
      if (runs.length === sample) break;
    }
    return runs;
  });
}

/** History, memo, search attributes, summaries and details, payloads decoded. */
async function textOf(client: Client, workflowId: string, runId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const deadlineMs = Date.now() + CALL_DEADLINE_MS;
  const told = await client.withDeadline(deadlineMs, () =>
    Promise.all([handle.fetchHistory(), handle.describe()]),
  );
  const [history, { raw }] = told;
  return readable([history, raw]);
}

/** What of whom stands in the text; never the thing itself. */
async function personsIn(db: Database, text: string): Promise<readonly string[]> {
  const orderIds = [...new Set(text.match(ORDER_IDS))].slice(0, MAX_ORDERS);
  const persons = await findOrderPersons(db, orderIds);
  const lowered = text.toLowerCase();
  return persons.flatMap((person) =>
    privateOf(person)
      .filter(([, value]) => lowered.includes(value))
      .map(([what]) => `has the ${what} of ${person.orderId}`),
  );
}

function privateOf(person: OrderPerson): readonly (readonly [string, string])[] {
  const all: readonly (readonly [string, string | null])[] = [
    ['e-mail', person.email],
    ['name', person.name],
    ['phone', person.phone],
    ['street', person.line1],
    ['second address line', person.line2],
    ['payment method', person.paymentMethod],
  ];
  return all.flatMap(([what, value]) =>
    value !== null && value.length >= SHORTEST ? [[what, value.toLowerCase()] as const] : [],
  );
}
