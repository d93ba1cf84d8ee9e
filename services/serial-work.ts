/** Runs the work of one key one after the other. Work of other keys does not wait for it. */

export type SerialWork = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** Remembers a key only while its work runs. */
export function createSerialWork(): SerialWork {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const result = (last.get(key) ?? Promise.resolve()).then(work, work);
    const done = result.then(
      () => undefined,
      () => undefined,
    );
    last.set(key, done);
    void done.then(() => {
      if (last.get(key) === done) last.delete(key);
    });
    return result;
  };
}
