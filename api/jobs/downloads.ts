/**
 * The files of jobs, streamed from their chunks: memory holds one of them, whatever the size of the file
 * and however slow the client.
 */
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import type { JobFile } from '../../domain/jobs.ts';
import { isReportType, REPORT_COLUMNS } from '../../domain/reports.ts';
import type { Database } from '../../prisma/client/client.ts';
import { readChunks, type Job } from '../../prisma/jobs/jobs.ts';
import { ProblemError } from '../http/problems.ts';

export interface Downloads {
  /**
   * The response body, whose place is free again when `signal` says that the client has left: the
   * server cancels no body that it has not begun to send. Throws ProblemError `overloaded` when too many
   * are under way.
   */
  open(job: Job, file: JobFile, signal: AbortSignal): ReadableStream<Uint8Array>;
}

/** Each reads a chunk whenever its client has taken the one before. */
const MAX_DOWNLOADS = 8;
const RETRY_SECONDS = 10;
/** A client that takes longer begins again. */
const LIFETIME_MS = 10 * 60_000;

export const CONTENT_TYPES: Readonly<Record<JobFile, string>> = {
  'output.csv': 'text/csv; charset=utf-8; header=present',
  'output.json': 'application/json',
  'errors.csv': 'text/csv; charset=utf-8; header=present',
};

export function createDownloads(db: Database): Downloads {
  let running = 0;
  return {
    open(job, file, signal) {
      if (running >= MAX_DOWNLOADS) {
        const detail = `At most ${MAX_DOWNLOADS} files are sent at once. Retry later.`;
        const retryAfterSeconds = RETRY_SECONDS;
        throw new ProblemError({ code: 'overloaded', detail, retryAfterSeconds });
      }
      running += 1;
      return streamOf(textOf(db, job, file), { signal, ended: () => (running -= 1) });
    },
  };
}

/** Pulls the next piece when the client has taken the one before; `ended` is called once. */
function streamOf(
  pieces: AsyncGenerator<string>,
  { signal, ended }: { readonly signal: AbortSignal; readonly ended: () => void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    ended();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        timer = setTimeout(() => {
          end();
          controller.error(new Error('the client takes too long'));
        }, LIFETIME_MS).unref();
        if (signal.aborted) end();
        else signal.addEventListener('abort', end);
      },
      async pull(controller) {
        try {
          const piece = await pieces.next();
          if (isOver) return;
          if (piece.done !== true) return controller.enqueue(encoder.encode(piece.value));
          end();
          controller.close();
        } catch (error) {
          end();
          throw error;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

async function* textOf(db: Database, job: Job, file: JobFile): AsyncGenerator<string> {
  const stream = file === 'errors.csv' ? 'errors' : 'output';
  const isJson = file === 'output.json';
  let isFirst = true;
  for await (const { body } of readChunks(db, job.id, { stream })) {
    const lines = body.split('\n');
    yield isJson ? jsonRows(lines, isFirst) : csvRows(lines.map(readRow), { job, isFirst });
    isFirst = false;
  }
  if (isJson) yield isFirst ? '[]\n' : '\n]\n';
  else if (isFirst && stream === 'output') yield csvRows([], { job, isFirst });
}

/** One row per line, so that it can be read without a parser for the whole. */
function jsonRows(lines: readonly string[], isFirst: boolean): string {
  return `${isFirst ? '[\n' : ',\n'}${lines.join(',\n')}`;
}

type Row = Readonly<Record<string, unknown>>;
const row = z.record(z.string(), z.unknown());

function readRow(line: string): Row {
  return row.parse(JSON.parse(line));
}

/**
 * RFC 4180. A text that a spreadsheet would run as a formula gets a quote before it
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
function csvRows(
  rows: readonly Row[],
  { job, isFirst }: { readonly job: Job; readonly isFirst: boolean },
): string {
  return stringify([...rows], {
    columns: columnsOf(job, rows),
    header: isFirst,
    escape_formulas: true,
    record_delimiter: 'windows',
  });
}

/** All rows of a stream have the same keys. A report without a row has its columns, too. */
function columnsOf(job: Job, [first]: readonly Row[]): string[] {
  if (first !== undefined) return Object.keys(first);
  return job.kind === 'report' && isReportType(job.type) ? [...REPORT_COLUMNS[job.type]] : [];
}
