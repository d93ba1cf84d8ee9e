/**
 * The only way into a workflow: inputs, signals and updates. Everything is checked, because an operator
 * may send it from the Web UI or the CLI. An input and an update are refused in words; a signal, which
 * has no response, is logged and ignored. The schemas are beside the contracts.
 *
 * Values are decoded here and not by the SDK, where one that cannot be decoded fails the workflow's task:
 * it is run again with the same signal, for ever.
 */
import {
  defaultPayloadConverter,
  rawValueTypeInfo,
  RawValue,
  type SignalDefinition,
  type UpdateDefinition,
} from '@temporalio/common';
import {
  ApplicationFailure,
  defineWorkflowOptions,
  log,
  makeContinueAsNewFunc,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailureType } from '../domain/failures.ts';
import { parse, type Parsed, type Schema } from './schema.ts';

/** One value, as it came over the wire. */
const UNDECODED = { inputTypes: [rawValueTypeInfo] };

/** The workflow decodes its own input, by `requireInput`. */
export function takesUndecoded<I, O>(workflow: (input: I) => Promise<O>): void {
  defineWorkflowOptions(workflow, { staticOptions: { typeInfo: UNDECODED } });
}

/**
 * Ends this run and begins the next with the input. It is sent as it is here, decoded: by the types of a
 * workflow that takes it undecoded, the SDK cannot send it.
 */
export function continueAs<I>(input: I): Promise<never> {
  return makeContinueAsNewFunc<(input: I) => Promise<unknown>>({ typeInfo: {} })(input);
}

/**
 * The workflow's input. Throws a permanent failure for an invalid one, and for a workflow whose id is
 * not that of its subject: a second run beside the real one.
 */
export function requireInput<T>(
  schema: Schema<T>,
  value: unknown,
  workflowIdOf?: (input: T) => string,
): T {
  const parsed = decode(schema, value);
  if (parsed.kind === 'invalid') throw invalidInput(parsed.reason);
  const workflowId = workflowIdOf?.(parsed.value) ?? workflowInfo().workflowId;
  if (workflowId !== workflowInfo().workflowId)
    throw invalidInput(`the workflow id must be ${workflowId}`);
  return parsed.value;
}

/** Handles a signal. An invalid one is logged and ignored. */
export function onSignal<T>(
  definition: SignalDefinition<[T]>,
  schema: Schema<T>,
  handler: { readonly description: string; readonly handle: (input: T) => void },
): void {
  const { description, handle } = handler;
  const received = (value: unknown): void => {
    const parsed = decode(schema, value);
    if (parsed.kind === 'valid') return handle(parsed.value);
    log.warn('ignored an invalid signal', { signal: definition.name, reason: parsed.reason });
  };
  setHandler({ ...definition, typeInfo: UNDECODED }, received, { description });
}

/** Handles a signal without an input; what is sent with it is not looked at. */
export function onBareSignal(
  definition: SignalDefinition,
  handler: { readonly description: string; readonly handle: () => void },
): void {
  const { description, handle } = handler;
  setHandler({ ...definition, typeInfo: UNDECODED }, () => handle(), { description });
}

/** Handles an update. `refuse` throws why a valid one is refused now. An invalid one is refused before. */
export function onUpdate<R, T>(
  definition: UpdateDefinition<R, [T]>,
  schema: Schema<T>,
  handler: {
    readonly description: string;
    readonly refuse: (input: T) => void;
    readonly handle: (input: T) => R | Promise<R>;
  },
): void {
  const { description, refuse, handle } = handler;
  const accepted = (value: unknown): T => {
    const parsed = decode(schema, value);
    if (parsed.kind === 'invalid') throw invalidInput(parsed.reason);
    return parsed.value;
  };
  const undecoded = { ...definition, typeInfo: UNDECODED };
  setHandler(undecoded, async (value: unknown) => handle(accepted(value)), {
    description,
    validator: (value: unknown) => refuse(accepted(value)),
  });
}

/** Parses a value that was not decoded yet; one that was passed within a test is decoded already. */
function decode<T>(schema: Schema<T>, value: unknown): Parsed<T> {
  if (!(value instanceof RawValue)) return parse(schema, value, 'input');
  try {
    return parse(schema, defaultPayloadConverter.fromPayload(value.payload), 'input');
  } catch {
    const reason = `input cannot be decoded: send JSON with the encoding json/plain, ${schema.expected}`;
    return { kind: 'invalid', reason };
  }
}

/** A refusal of an input, in words. */
export function invalidInput(reason: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(reason, 'invalid_input' satisfies FailureType);
}
