/** What a job's workflow accepts. */
import { jobId, object } from '../schema.ts';
import type { JobInput } from './contract.ts';

export const jobInput = object<JobInput>({ jobId });
