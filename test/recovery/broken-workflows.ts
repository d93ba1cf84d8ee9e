/** A broken deployment: checkouts, refunds and reports throw at every workflow task. */

export async function checkout(): Promise<never> {
  throw new Error('a bug in the workflow');
}

export async function refund(): Promise<never> {
  throw new Error('a bug in the workflow');
}

export async function report(): Promise<never> {
  throw new Error('a bug in the workflow');
}
