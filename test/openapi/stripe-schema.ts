/**
 * Stripe's OpenAPI document, as a check of answers and events. Stricter than the document in one thing:
 * an object has no fields but those that are named. Looser in another: of what can be expanded, only
 * charges and refunds are looked into, because nothing here expands anything else.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { z } from 'zod';
import type { Exchange } from '../support/recording-proxy.ts';

const EXPANDED = ['charge', 'refund'].map((name) => `#/components/schemas/${name}`);
const json = z.object({
  'application/json': z.object({ schema: z.unknown() }).optional(),
});
const document = z.object({
  info: z.object({ version: z.string() }),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ responses: z.record(z.string(), z.object({ content: json.optional() })) }),
    ),
  ),
});

export interface StripeSchema {
  /** Of the API, e.g. `2026-08-26.dahlia`. */
  readonly version: string;
  /** The call as the document names it, e.g. `GET /v1/refunds/{refund}`. */
  callOf(exchange: Exchange): string;
  /** What is wrong with the answer; empty when nothing is. */
  problemsOf(exchange: Exchange): readonly string[];
  /** The same of an event that a webhook has sent. */
  problemsOfEvent(event: unknown): readonly string[];
}

export function readStripeSchema(specFile: string): StripeSchema {
  const { info, components, paths } = document.parse(JSON.parse(readFileSync(specFile, 'utf8')));
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'stripe', components: adapted(components) });
  const compiled = new Map<string, ValidateFunction>();

  function problems(name: string, schema: unknown, value: unknown): readonly string[] {
    const validate = compiled.get(name) ?? ajv.compile(referring(schema));
    compiled.set(name, validate);
    return validate(value) ? [] : [`${name}: ${explain(validate.errors ?? [])}`];
  }

  const templateOf = (path: string): string => {
    const matching = Object.keys(paths).filter((template) => patternOf(template).test(path));
    const [first = path] = matching.toSorted((one, other) => slots(one) - slots(other));
    return first;
  };
  const callOf = ({ method, path }: Exchange): string => `${method} ${templateOf(path)}`;
  return {
    version: info.version,
    callOf,
    problemsOf: (exchange) => {
      const { method, path, status, response } = exchange;
      const call = callOf(exchange);
      const operation = paths[templateOf(path)]?.[method.toLowerCase()];
      const { responses } = operation ?? {};
      const answer = responses?.[status] ?? responses?.['default'];
      const schema = answer?.content?.['application/json']?.schema;
      if (schema === undefined) return [`${call}: it is not in the document`];
      return problems(`${call} ${status}`, schema, response);
    },
    problemsOfEvent: (event) => {
      const { type, data } = eventSchema.parse(event);
      const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });
      return [
        ...problems(`event ${type}`, reference('event'), event),
        ...problems(`${data.object.object} of ${type}`, reference(data.object.object), data.object),
      ];
    },
  };
}

const eventSchema = z.object({
  type: z.string(),
  data: z.object({ object: z.looseObject({ object: z.string() }) }),
});

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function slots(template: string): number {
  return template.split('{').length;
}

/** OpenAPI 3.0 as a JSON schema: `nullable` stands beside references, too. */
function adapted(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(adapted);
  if (typeof node !== 'object' || node === null) return node;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(node));
  const entries = Object.entries(rest).map(([key, value]): [string, unknown] => {
    const isExpandable = key === 'anyOf' && 'x-expansionResources' in rest && Array.isArray(value);
    const shown = isExpandable ? value.filter((each: unknown) => isShown(each)) : value;
    return [key, key === 'enum' ? shown : adapted(shown)];
  });
  const isClosed = isObjectSchema(rest) && rest['additionalProperties'] === undefined;
  const schema = Object.fromEntries([
    ...entries,
    ...(isClosed ? [['additionalProperties', false]] : []),
  ]);
  return nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema;
}

/** A field may have the name `properties` or `nullable`; a schema has them in their form. */
function isObjectSchema(node: Readonly<Record<string, unknown>>): boolean {
  return node['type'] === 'object' && typeof node['properties'] === 'object';
}

function isShown(each: unknown): boolean {
  const { $ref } = z.object({ $ref: z.string().optional() }).parse(each);
  return $ref === undefined || EXPANDED.includes($ref);
}

/** References lead into the document that was added. */
function referring(schema: unknown): object {
  const text = JSON.stringify(adapted(schema)).replaceAll('"#/', '"stripe#/');
  return z.looseObject({}).parse(JSON.parse(text));
}

/** Without what only says that no alternative fits, or that null would be one. */
function explain(errors: readonly ErrorObject[]): string {
  const texts = errors
    .filter(({ keyword, params }) => keyword !== 'anyOf' && params['type'] !== 'null')
    .map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  return [...new Set(texts)].join('; ');
}
