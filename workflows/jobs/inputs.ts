/** What the workflows of jobs accept. */
import { REPORT_TYPES } from '../../domain/reports.ts';
import { jobId, object, oneOf } from '../schema.ts';
import type { JobInput, RequestReportInput } from './contract.ts';

export const jobInput = object<JobInput>({ jobId });
export const requestReportInput = object<RequestReportInput>({ type: oneOf(REPORT_TYPES) });
