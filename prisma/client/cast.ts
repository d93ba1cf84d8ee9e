/**
 * Narrows a stored value to its domain type. The database's CHECKs, and this folder being the only
 * writer, are the guarantee behind it.
 */
export function trusted<T>(value: unknown): T {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the named guard itself
  return value as T;
}
