/** Compares our books with the providers'. */
import type { ReconcileInput } from './upkeep-contract.ts';

export async function reconcile(_input: ReconcileInput): Promise<void> {}
