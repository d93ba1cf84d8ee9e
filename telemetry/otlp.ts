/**
 * Sends spans to an OpenTelemetry collector by OTLP over HTTP. Whatever the collector does, recording
 * costs nothing but memory up to a limit: spans are queued, sent in batches with a deadline, and dropped
 * when the queue is full. The packages are loaded when this is called, not before.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { HrTime } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { parentIdOf, traceIdOf } from './traceparent.ts';
import { recordSpans, type Span } from './tracing.ts';

/** Variables of OpenTelemetry's; it says what they mean. */
export interface SpanSettings {
  /** The collector's base URL; spans go to `v1/traces` below it. Without it none are recorded. */
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_SERVICE_NAME: string;
  /** The share of the traces begun here that are recorded. */
  readonly OTEL_TRACES_SAMPLER_ARG: number;
}

interface Collector {
  readonly endpoint: string;
  readonly serviceName: string;
  readonly log: Logger;
}

/** About two kilobytes each. */
const MAX_QUEUED_SPANS = 2_048;
const MAX_BATCH = 512;
const SEND_EVERY_MS = 1_000;
/** Of one batch, its repeats included. */
const SEND_DEADLINE_MS = 5_000;
const STOP_WITHIN_MS = 2_000;

/**
 * Records the spans of this process from here on. Headers, certificates and compression are read from
 * the environment by the exporter (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
 * `stop` sends what is queued within two seconds, and never rejects.
 */
export async function startSpans(
  settings: SpanSettings,
  log: Logger,
): Promise<{ stop(): Promise<void> }> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: serviceName } = settings;
  if (endpoint === undefined) return { stop: () => Promise.resolve() };
  const { record, shutdown } = await createExporter({ endpoint, serviceName, log });
  recordSpans({ record, sampleRate: settings.OTEL_TRACES_SAMPLER_ARG });
  return {
    async stop() {
      recordSpans(null);
      const stopped = shutdown().catch(() => undefined);
      await Promise.race([stopped, delay(STOP_WITHIN_MS, undefined, { ref: false })]);
    },
  };
}

/** Connects to nothing before the first span. */
async function createExporter({ endpoint, serviceName, log }: Collector) {
  const [api, sdk, { OTLPTraceExporter }, resources] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: SEND_DEADLINE_MS });
  const next = { traceId: '', spanId: '' };
  const service = { 'service.name': serviceName, 'service.instance.id': randomUUID() };
  const provider = new sdk.TracerProvider({
    resource: resources
      .detectResources({ detectors: [resources.envDetector] })
      .merge(resources.resourceFromAttributes(service)),
    // Ids are given to others when a span begins; the package makes it when it has ended.
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: reporting(exporter, { url, log }),
        maxQueueSize: MAX_QUEUED_SPANS,
        maxExportBatchSize: MAX_BATCH,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: SEND_DEADLINE_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('holdfast');
  const { SpanKind, SpanStatusCode, TraceFlags, ROOT_CONTEXT, trace } = api;
  const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
  const contextOf = (parent: string | null) =>
    parent === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
          ...idsOf(parent),
          traceFlags: TraceFlags.SAMPLED,
          isRemote: true,
        });
  return {
    record({ name, attributes, error, ...span }: Span): void {
      Object.assign(next, idsOf(span.traceparent));
      const startTime = hrTime(span.startedAtMs);
      const options = { kind: kinds[span.kind], attributes, startTime };
      const started = tracer.startSpan(name, options, contextOf(span.parent));
      if (error !== null) {
        started.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
      }
      started.end(hrTime(span.endedAtMs));
    },
    shutdown: () => provider.shutdown(),
  };
}

function idsOf(traceparent: string): { readonly traceId: string; readonly spanId: string } {
  return { traceId: traceIdOf(traceparent) ?? '', spanId: parentIdOf(traceparent) ?? '' };
}

/** Seconds and nanoseconds since the epoch. The package takes small numbers for times since its start. */
function hrTime(epochMs: number): HrTime {
  const micros = Math.round(epochMs * 1_000);
  return [Math.floor(micros / 1_000_000), (micros % 1_000_000) * 1_000];
}

/** Logs when the collector begins to fail, and when it works again with how many spans were lost. */
function reporting(
  exporter: SpanExporter,
  { url, log }: { readonly url: string; readonly log: Logger },
): SpanExporter {
  let lost = 0;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === 0) {
          if (lost > 0) log.info({ url, lost }, 'spans are exported again');
          lost = 0;
        } else {
          if (lost === 0) log.warn({ url, err: result.error }, 'spans are not exported');
          lost += spans.length;
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
