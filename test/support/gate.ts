/** A moment that a test chooses: others wait for `opened` until it calls `open`. */
export interface Gate<T = void> {
  readonly opened: Promise<T>;
  readonly open: (value: T) => void;
}

export function createGate<T = void>(): Gate<T> {
  let open: Gate<T>['open'] = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
