/** One HTTP call of the demo: bounded in time, ended by Ctrl-C, the answer as JSON. */
import type { z } from 'zod';

export interface Call {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly tookMs: number;
}

const DEADLINE_MS = 20_000;

/** Rejects when nobody answers within 20 s, or when the signal says stop. */
export async function call(asked: Call): Promise<Answer> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const startedAt = performance.now();
  const response = await fetch(asked.url, {
    method: asked.method ?? 'GET',
    headers: { 'content-type': 'application/json', ...asked.headers },
    signal: asked.signal === undefined ? deadline : AbortSignal.any([asked.signal, deadline]),
    ...(asked.body !== undefined && { body: JSON.stringify(asked.body) }),
  });
  const text = await response.text();
  const tookMs = performance.now() - startedAt;
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, body: isJson ? JSON.parse(text) : text, tookMs };
}

/** A call that has to succeed and has to answer in this form. Rejects with a sentence. */
export async function ask<T>(asked: Call, form: z.ZodType<T>): Promise<T> {
  const { status, body } = await call(asked);
  const parsed = form.safeParse(body);
  if (status < 300 && parsed.success) return parsed.data;
  const said = JSON.stringify(body).slice(0, 300);
  throw new Error(`${asked.method ?? 'GET'} ${asked.url} answered ${status}: ${said}`);
}
