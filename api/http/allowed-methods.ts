/** The methods of a path, so that a wrong one gets 405 with Allow (RFC 9110). */

/** Call it after all routes are registered. */
export function createAllowedMethods(
  routes: readonly { readonly method: string; readonly path: string }[],
): (path: string) => readonly string[] {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, path, pattern: toPattern(path) }));
  return (path) => {
    const matching = patterns.filter(({ pattern }) => pattern.test(path));
    // A path without a parameter is a resource of its own, not the value of one.
    const own = matching.filter((each) => each.path === path);
    const methods = (own.length > 0 ? own : matching).map((each) => each.method);
    const known = new Set(methods.map((method) => method.toUpperCase()));
    // A GET route also handles HEAD, and OPTIONS is answered for every path.
    if (known.has('GET')) known.add('HEAD');
    if (known.size > 0) known.add('OPTIONS');
    return [...known].toSorted();
  };
}

function toPattern(path: string): RegExp {
  const segments = path
    .split('/')
    .map((segment) =>
      segment.startsWith(':') ? '[^/]+' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    );
  return new RegExp(`^${segments.join('/')}$`);
}
