/** A broken deployment: checkouts and refunds throw at every workflow task. */

export async function checkout(): Promise<never> {
  throw new Error('a bug in the workflow');
}

export async function refund(): Promise<never> {
  throw new Error('a bug in the workflow');
}
