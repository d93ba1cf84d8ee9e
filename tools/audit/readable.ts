/** Any value from Temporal as text. Payload bytes are decoded: a search must see their content. */
export function readable(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(readable).join('\n');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, each]) => `${key}: ${readable(each)}`)
      .join('\n');
  }
  return String(value);
}
