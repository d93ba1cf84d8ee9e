import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, describe, expect, test } from 'vitest';
import { DIST } from '../../local/stack/compile.ts';
import { createLog } from '../../telemetry/logging.ts';
import { startSpans } from '../../telemetry/otlp.ts';
import { isSampled, traceIdOf } from '../../telemetry/traceparent.ts';
import {
  currentTraceHeaders,
  inSpan,
  recordSpan,
  recordsSpans,
  type SpanStart,
} from '../../telemetry/tracing.ts';
import { eventually } from '../support/eventually.ts';
import { startCollector } from '../support/otlp-collector.ts';

const TRACE = 'a'.repeat(32);
const PARENT = 'b'.repeat(16);
const RECEIVED = `00-${TRACE}-${PARENT}-01`;
const REQUEST: SpanStart = { name: 'POST /v1/orders', kind: 'server', isRoot: true };
const CALL: SpanStart = { name: 'POST /v1/payment_intents', kind: 'client' };
const silent = createLog('silent');

async function recording(sampleRate = 1, log = silent) {
  const collector = await startCollector();
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
    OTEL_SERVICE_NAME: 'shop',
    OTEL_TRACES_SAMPLER_ARG: sampleRate,
  };
  const spans = await startSpans(settings, log);
  onTestFinished(async () => {
    await spans.stop();
    await collector.close();
  });
  return { collector, ...spans };
}

describe('spans', () => {
  test('a call within a request is its child, and sends the provider its own id', async () => {
    const { collector, stop } = await recording();
    const traceparent = await inSpan(REQUEST, async (request) => {
      request.describe({ attributes: { 'http.response.status_code': 201, 'order.id': 'ord_1' } });
      return inSpan(CALL, async () => currentTraceHeaders().traceparent);
    });
    await stop();
    const [call, request] = collector.spans;
    expect(request).toMatchObject({
      service: 'shop',
      kind: 2,
      parentId: '',
      isError: false,
      attributes: { 'http.response.status_code': 201, 'order.id': 'ord_1' },
    });
    expect(call).toMatchObject({ kind: 3, traceId: request?.traceId, parentId: request?.spanId });
    expect(traceparent).toBe(`00-${request?.traceId}-${call?.spanId}-01`);
    expect(call?.startedAtNs).toBeGreaterThanOrEqual(request?.startedAtNs ?? 0n);
    expect(call?.endedAtNs).toBeLessThanOrEqual((request?.endedAtNs ?? 0n) + 1_000_000n);
  });

  test('a span of a received trace is the child of its sender', async () => {
    const { collector, stop } = await recording();
    await inSpan({ ...REQUEST, parent: RECEIVED }, async () => null);
    await stop();
    expect(collector.spans).toMatchObject([{ traceId: TRACE, parentId: PARENT }]);
  });

  test('a received trace that is not sampled is propagated and not recorded', async () => {
    const { collector, stop } = await recording();
    const unsampled = RECEIVED.replace(/01$/, '00');
    await inSpan({ ...REQUEST, parent: unsampled }, async () => {
      const { traceparent = '' } = currentTraceHeaders();
      expect([traceIdOf(traceparent), isSampled(traceparent)]).toEqual([TRACE, false]);
    });
    await stop();
    expect(collector.spans).toEqual([]);
  });

  test('traces begun here are recorded by the share that was set', async () => {
    const { collector, stop } = await recording(0.5);
    const begun = await Promise.all(
      Array.from({ length: 200 }, () => inSpan(REQUEST, async (span) => span.traceparent ?? '')),
    );
    await stop();
    const sampled = begun.filter(isSampled).map((trace) => traceIdOf(trace) ?? '');
    expect(collector.spans.map(({ traceId }) => traceId).toSorted()).toEqual(sampled.toSorted());
    expect(sampled.length).toBeGreaterThan(50);
    expect(sampled.length).toBeLessThan(150);
  });

  test('work outside of a trace makes no span unless it begins one', async () => {
    const { collector, stop } = await recording();
    await inSpan(CALL, async () => expect(currentTraceHeaders()).toEqual({}));
    await stop();
    expect(collector.spans).toEqual([]);
  });

  test('an error is recorded by its type, never by its message', async () => {
    const { collector, stop } = await recording();
    const failing = inSpan(REQUEST, async () => {
      throw Object.assign(new Error('ada@example.com'), { type: 'provider_fault' });
    });
    await expect(failing).rejects.toThrow('ada@example.com');
    await stop();
    expect(collector.spans).toMatchObject([
      { isError: true, attributes: { 'error.type': 'provider_fault' } },
    ]);
    expect(JSON.stringify(collector.spans, (_, value) => String(value))).not.toContain('ada@');
  });

  test('a span that began a trace can join the trace of an order that it learns of later', async () => {
    const { collector, stop } = await recording();
    await inSpan(REQUEST, async (span) => span.join(RECEIVED));
    await stop();
    expect(collector.spans).toMatchObject([{ traceId: TRACE, parentId: PARENT }]);
  });

  test('a span from before the start of this process keeps its times', async () => {
    const { collector, stop } = await recording();
    const span = { name: 'checkout', kind: 'internal', attributes: {}, error: null } as const;
    const times = { startedAtMs: 1_000.5, endedAtMs: 2_000 };
    recordSpan({ ...span, ...times, traceparent: RECEIVED, parent: null });
    await stop();
    expect(collector.spans).toMatchObject([
      { startedAtNs: 1_000_500_000n, endedAtNs: 2_000_000_000n, spanId: PARENT },
    ]);
  });
});

describe('a collector', () => {
  test('one that hangs costs a bounded queue, and does not keep the process from stopping', async () => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });
    const { collector, stop } = await recording(1, log);
    const { answer } = collector.how;
    collector.how.answer = () => null;
    for (let made = 0; made < 4_000; made += 1) await inSpan(REQUEST, async () => null);
    await eventually(() => expect(collector.open.size).toBe(1));
    collector.how.answer = answer;
    await stop();
    // The first batch still waits for its answer: its deadline would be reported.
    expect(lines).toEqual([]);
    expect(collector.spans.length).toBeGreaterThan(0);
    expect(collector.spans.length).toBeLessThanOrEqual(2_048);
  });

  test('one that fails is reported once, and its return once with the number of lost spans', async () => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });
    const { collector, stop } = await recording(1, log);
    const { answer } = collector.how;
    let refused = 0;
    collector.how.answer = (response) => {
      refused += 1;
      response.writeHead(400).end();
    };
    for (const times of [1, 2]) {
      await inSpan(REQUEST, async () => null);
      await eventually(() => expect(refused).toBe(times));
    }
    collector.how.answer = answer;
    await inSpan(REQUEST, async () => null);
    await stop();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 40, msg: 'spans are not exported' },
      { level: 30, msg: 'spans are exported again', lost: 2 },
    ]);
  });
});

describe('without an endpoint', () => {
  test('nothing is recorded, and a trace is propagated as it was received', async () => {
    const settings = { OTEL_SERVICE_NAME: 'shop', OTEL_TRACES_SAMPLER_ARG: 1 };
    const { stop } = await startSpans(settings, silent);
    expect(recordsSpans()).toBe(false);
    await inSpan({ ...REQUEST, parent: RECEIVED }, async ({ traceparent }) => {
      expect(traceparent).toBe(RECEIVED);
      expect(traceIdOf(currentTraceHeaders().traceparent ?? '')).toBe(TRACE);
    });
    await inSpan(REQUEST, async ({ traceparent }) => expect(traceparent).toBeNull());
    await stop();
  });

  test('the compiled program loads no package of OpenTelemetry at its start', () => {
    const program = readFileSync(join(DIST, 'main.js'), 'utf8');
    expect(program).toMatch(/import\("@opentelemetry\/sdk-trace"\)/);
    expect(program).not.toMatch(/from ?"@opentelemetry/);
  });
});
