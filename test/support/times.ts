/** What `work` gives, called so often with 0, 1, 2, ... */
export const times = <T>(count: number, work: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => work(index));
