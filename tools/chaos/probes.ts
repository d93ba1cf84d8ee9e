/** One look at a process: does it answer now? */

const PROBE_TIMEOUT_MS = 1_500;

/** True when the address answers 200 in time. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Not there, or too slow: the same to whoever asks.
    return false;
  }
}
