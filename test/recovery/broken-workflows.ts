/** A deploy gone wrong: the checkout's code throws at every workflow task. */

export async function checkout(): Promise<never> {
  throw new Error('a bug in the workflow');
}
