/** Names of metrics in alert rules, dashboards and documents, compared with those that exist. */

const NAME = /\b(?:holdfast|http|process|nodejs)_[a-z0-9_]+/g;
const OF_HISTOGRAM = /_(?:bucket|count|sum)$/;

/** All that the text names, each once. */
export function metricsIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(NAME)].map(([name]) => name))];
}

/** Those that are no metric of these types, nor a part of a histogram. */
export function unknownMetrics(
  names: readonly string[],
  types: ReadonlyMap<string, string>,
): readonly string[] {
  return names.filter((name) => {
    const whole = name.replace(OF_HISTOGRAM, '');
    return !types.has(name) && types.get(whole) !== 'histogram';
  });
}
