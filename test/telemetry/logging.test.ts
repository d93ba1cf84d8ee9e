import { expect, test } from 'vitest';
import { createLog, createTemporalLogger } from '../../telemetry/logging.ts';

function logged(say: (logger: ReturnType<typeof createTemporalLogger>) => void): unknown[] {
  const lines: string[] = [];
  say(createTemporalLogger(createLog('info', { write: (line) => void lines.push(line) })));
  return lines.map((line): unknown => JSON.parse(line));
}

const [INFO, WARN] = [30, 40];

test('failures that Temporal retries are logged as info, and a failing workflow task as a warning', () => {
  const lines = logged((logger) => {
    logger.warn('Activity failed', { error: new Error('the warehouse is down') });
    logger.warn('Error while completing workflow activation', { error: 'tcp connect error' });
    logger.warn('Failing workflow task', { failure: 'nondeterminism' });
    logger.debug('polled', {});
  });
  expect(lines).toMatchObject([
    { level: INFO, msg: 'Activity failed', err: { message: 'the warehouse is down' } },
    { level: INFO, error: 'tcp connect error' },
    { level: WARN, msg: 'Failing workflow task', failure: 'nondeterminism' },
  ]);
});

test('an error that the native core passes as text is kept in the log line', () => {
  const lines = logged((logger) => logger.error('poll failed', { error: 'code: Unavailable' }));
  expect(lines).toMatchObject([{ component: 'temporal', error: 'code: Unavailable' }]);
});
