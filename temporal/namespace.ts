/** Whether the namespace can be used. A server that responds may not have it, or not for us. */
import type { ConnectionLike } from '@temporalio/client';
import { hasGrpcCode } from './deadline.ts';

const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

/** Why the namespace cannot be used, in words; null when it can. Throws when the server does not respond. */
export async function namespaceUnavailableReason(
  { workflowService }: Pick<ConnectionLike, 'workflowService'>,
  namespace: string,
): Promise<string | null> {
  try {
    await workflowService.describeNamespace({ namespace });
    return null;
  } catch (error) {
    if (hasGrpcCode(error, [NOT_FOUND])) {
      return `the namespace "${namespace}" does not exist: create it, or set TEMPORAL_NAMESPACE`;
    }
    if (hasGrpcCode(error, [PERMISSION_DENIED, UNAUTHENTICATED])) {
      return `the server refuses access to the namespace "${namespace}"`;
    }
    if (hasGrpcCode(error, [UNIMPLEMENTED])) return null;
    throw error;
  }
}
