/**
 * Searches Temporal for personal data: the newest workflows of every type, with all payloads
 * decoded, are searched for what the database has about the customer of each order they name.
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
  /** Throws when there is no connection to Temporal. */
  readonly client: () => Client;
  /** So many checkouts and as many other workflows. Default 20. */
  readonly sample?: number | undefined;
}

const SAMPLE = 20;
const CALL_TIMEOUT_MS = 10_000;
const ORDER_IDS = /ord_[0-7][0-9a-hjkmnp-tv-z]{25}/g;
/** A workflow of events names few orders; more than this are not looked up. */
const MAX_ORDERS = 500;
/** A shorter value is found in every text. */
const MIN_LENGTH = 4;

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
  for (const type of [`= '${CHECKOUT_WORKFLOW}'`, `!= '${CHECKOUT_WORKFLOW}'`]) {
    const query = `WorkflowType ${type}`;
    for (const { workflowId, runId } of await newest(client, query, options.sample ?? SAMPLE)) {
      const text = await textOf(client, workflowId, runId);
      const details = await personsIn(options.db, text);
      found.push(...details.map((detail) => ({ subject: workflowId, detail })));
    }
  }
  return found;
}

async function newest(client: Client, query: string, sample: number) {
  return client.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
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
  const [history, { raw }] = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
    Promise.all([handle.fetchHistory(), handle.describe()]),
  );
  return readable([history, raw]);
}

/** Which personal data of which order is in the text; never the value itself. */
async function personsIn(db: Database, text: string): Promise<readonly string[]> {
  const orderIds = [...new Set(text.match(ORDER_IDS))].slice(0, MAX_ORDERS);
  const persons = await findOrderPersons(db, orderIds);
  const skus = [...new Set(persons.flatMap((person) => person.skus))];
  const searched = skus.reduce((left, sku) => left.replaceAll(words(sku), ' | '), words(text));
  return persons.flatMap((person) =>
    privateFields(person)
      .filter(([, value]) => value.length >= MIN_LENGTH && words(value) !== '')
      .filter(([, value]) => searched.includes(words(value)))
      .map(([what]) => `has the ${what} of ${person.orderId}`),
  );
}

/** The text's words in lower case, each between two spaces: a part of a word is never found. */
function words(text: string): string {
  const unescaped = text.toLowerCase().replaceAll(/\\[nrt]/g, ' ');
  const found = unescaped.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return found.map((word) => ` ${word} `).join('');
}

function privateFields(person: OrderPerson): readonly (readonly [string, string])[] {
  return [
    ['e-mail', person.email],
    ['name', person.name],
    ['phone', person.phone ?? ''],
    ['street', person.line1 ?? ''],
    ['second address line', person.line2 ?? ''],
    ['payment method', person.paymentMethod ?? ''],
  ];
}
