/** Planted violations: of jobs and of what they wrote. */
import type { Planting } from './planting.ts';

const ID = 'rep_planted';

/** A report with these columns; by default one that succeeded. */
function report(columns: Readonly<Record<string, string>>): string {
  const row = {
    id: `'${ID}'`,
    kind: `'report'`,
    type: `'refunds'`,
    params: `'{}'`,
    status: `'succeeded'`,
    total: '2',
    done: '2',
    actor: `'schedule'`,
    finished_at: 'now()',
    ...columns,
  };
  return `INSERT INTO jobs (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).join(', ')})`;
}

function chunk(seq: number, stream = 'output'): string {
  return `INSERT INTO job_chunks VALUES ('${ID}', '${stream}', ${seq}, '{"id":1}')`;
}

const RUNNING = { status: `'running'`, finished_at: 'NULL' };

export const JOB_PLANTINGS: readonly Planting[] = [
  {
    invariant: 'job_progress',
    what: 'a job that has done more than there is',
    subject: ID,
    statements: [
      'ALTER TABLE jobs DROP CONSTRAINT jobs_done_within_total',
      report({ ...RUNNING, done: '3' }),
    ],
  },
  {
    invariant: 'job_progress',
    what: 'a job that succeeded half-way',
    subject: ID,
    statements: [report({ done: '1' })],
  },
  {
    invariant: 'job_chunks',
    what: 'a piece of a file missing in the middle',
    subject: ID,
    statements: [report({ output_bytes: '16' }), chunk(0), chunk(2)],
  },
  {
    invariant: 'job_chunks',
    what: 'a piece missing at the end',
    subject: ID,
    statements: [report({ output_bytes: '16' }), chunk(0)],
  },
  {
    invariant: 'job_chunks',
    what: 'a piece written twice',
    subject: ID,
    statements: [report({ output_bytes: '16' }), chunk(0), chunk(1), chunk(0, 'errors')],
  },
  {
    invariant: 'jobs_proceed',
    what: 'a queued job without a workflow',
    subject: ID,
    statements: [
      report({
        ...RUNNING,
        status: `'queued'`,
        done: '0',
        progress_at: `now() - interval '10 minutes'`,
      }),
    ],
  },
  {
    invariant: 'jobs_proceed',
    what: 'a running job that commits nothing',
    subject: ID,
    statements: [
      report({
        ...RUNNING,
        workflow_started_at: 'now()',
        progress_at: `now() - interval '1 hour'`,
      }),
    ],
  },
];
