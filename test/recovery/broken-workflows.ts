/** A deploy gone wrong: the code of checkouts and refunds throws at every workflow task. */

export async function checkout(): Promise<never> {
  throw new Error('a bug in the workflow');
}

export async function refund(): Promise<never> {
  throw new Error('a bug in the workflow');
}
