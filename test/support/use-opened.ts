/** What a whole test file or describe uses: opened before its first test, closed after its last. */
import { afterAll, beforeAll } from 'vitest';

interface Closable {
  close(): Promise<unknown>;
}

/**
 * What `open` gives. Empty until then: nothing of it may be read while tests are collected. Its fields
 * are as they were when it opened: what changes later has to be in an object of its own.
 */
export function useOpened<T extends Closable>(open: () => Promise<T>): T {
  const opened: T = Object.create(null);
  beforeAll(async () => void Object.assign(opened, await open()));
  // Absent when it could not be opened.
  afterAll(() => opened.close?.());
  return opened;
}
