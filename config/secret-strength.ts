/** Finds secrets that can be guessed. Pure: bytes or text in, a reason out. */

/** Bits by the frequency of its values: a random secret of 16 characters has over 45, of 24 bytes over 90. */
const MIN_BITS = 40;
/** Long enough that no random secret holds one by chance. */
const PLACEHOLDERS = /secret|password|change.?me|example|placeholder|default|insecure|holdfast/i;
/** Words and separators in one case, without a digit. */
const WORDS = /^(?:[a-z]|[^A-Za-z\d])+$|^(?:[A-Z]|[^A-Za-z\d])+$/;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** What is wrong with a secret of `bytes`, as a phrase; null when nothing is. Random ones pass. */
export function weaknessOf(bytes: Uint8Array, minBytes: number): string | null {
  if (bytes.length < minBytes) {
    return `too short: ${bytes.length} bytes, at least ${minBytes} are needed`;
  }
  const text = Buffer.from(bytes).toString('latin1');
  if (PLACEHOLDERS.test(text)) return 'a placeholder, not a random value';
  if (PRINTABLE.test(text) && WORDS.test(text)) return 'made of words, not of random bytes';
  const steps = bytes.map((byte, at) => byte - (bytes[at - 1] ?? 0)).subarray(1);
  const bits = Math.min(entropyBits(bytes), entropyBits(steps));
  return bits < MIN_BITS || repeats(bytes)
    ? 'too regular: its characters or bytes repeat or count up'
    : null;
}

/** Shannon's entropy of the values in the sequence, times its length. */
function entropyBits(bytes: Uint8Array): number {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  return [...counts.values()].reduce(
    (bits, count) => bits - count * Math.log2(count / bytes.length),
    0,
  );
}

/** Whether the sequence is a shorter one, twice or more often. */
function repeats(bytes: Uint8Array): boolean {
  const periods = Array.from({ length: Math.floor(bytes.length / 2) }, (_, at) => at + 1);
  return periods.some((period) =>
    bytes.every((byte, at) => at < period || byte === bytes[at - period]),
  );
}
