/** Runs what needs the context of an activity, such as its log, without a workflow. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';

const QUIET = { logger: new DefaultLogger('ERROR') };

export function inActivity<T>(work: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment({}, QUIET).run(work);
}
