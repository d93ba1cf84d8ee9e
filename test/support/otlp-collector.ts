/** A collector of a few lines: takes spans by OTLP/HTTP as JSON (https://opentelemetry.io/docs/specs/otlp/). */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { readRequest, startHttpServer } from './http-server.ts';

export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it began the trace. */
  readonly parentId: string;
  readonly startedAtNs: bigint;
  readonly endedAtNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

export interface Collector {
  readonly url: string;
  readonly port: number;
  readonly spans: CollectedSpan[];
  /** Requests that are not answered yet. */
  readonly open: Set<ServerResponse>;
  /** How the next requests are answered; 200 by default. */
  readonly how: { answer: (response: ServerResponse) => unknown };
  close(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const open = new Set<ServerResponse>();
  const how: Collector['how'] = {
    answer: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
  };
  const server = await startHttpServer(async (request, response) => {
    open.add(response);
    response.once('close', () => open.delete(response));
    const { path, body } = await readRequest(request);
    if (path !== '/v1/traces') return response.writeHead(404).end();
    how.answer(response);
    if (response.statusCode === 200 && response.writableEnded) spans.push(...readSpans(body));
    return null;
  });
  return { url: server.url, port: server.port, spans, open, how, close: server.close };
}

const attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
  .transform((list) =>
    Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]])),
  );
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().default(''),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes,
              status: z.object({ code: z.number() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

function readSpans(body: string): readonly CollectedSpan[] {
  const { resourceSpans } = exported.parse(JSON.parse(body));
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(resource.attributes['service.name']),
        name: span.name,
        kind: span.kind,
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId,
        startedAtNs: BigInt(span.startTimeUnixNano),
        endedAtNs: BigInt(span.endTimeUnixNano),
        attributes: span.attributes,
        isError: span.status.code === ERROR,
      })),
    ),
  );
}

const ERROR = 2;
