/** Samples of real processes: their /metrics, read again and again, as series in promtool's notation. */

/** A process as Prometheus knows it. */
export interface Target {
  readonly instance: string;
  readonly url: string;
}

export interface Scrapes {
  /** Reads every target once. One that does not answer is down, and its series have a gap. */
  scrape(): Promise<void>;
  /** The series so far; each goes on with its last sample for so many more intervals. */
  series(more: number): Readonly<Record<string, string>>;
  /** How many times each target was read. */
  count(): number;
  /** The names of all metrics seen, with their types. */
  readonly types: ReadonlyMap<string, string>;
}

const SCRAPE_TIMEOUT_MS = 10_000;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const TYPE = /^# TYPE (\S+) (\S+)$/;
/** promtool's word for a missing sample. */
const GAP = '_';

export function createScrapes(targets: readonly Target[]): Scrapes {
  const samples = new Map<string, string[]>();
  const types = new Map<string, string>();
  let count = 0;
  const add = (series: string, value: string): void => {
    const values = samples.get(series) ?? [];
    while (values.length < count) values.push(GAP);
    samples.set(series, [...values, value]);
  };
  const scrapeOne = async ({ instance, url }: Target): Promise<void> => {
    const own = `instance="${instance}",job="holdfast"`;
    const text = await read(`${url}/metrics`);
    add(`up{${own}}`, text === null ? '0' : '1');
    for (const line of (text ?? '').split('\n')) {
      const [, typed, type] = TYPE.exec(line) ?? [];
      if (typed !== undefined && type !== undefined) types.set(typed, type);
      const [, name, labels, value] = SAMPLE.exec(line) ?? [];
      if (name === undefined || value === undefined) continue;
      // A gauge without a sample yet, which promtool's notation has no word for.
      const known = Number.isNaN(Number(value.toLowerCase().replace('inf', 'Infinity')))
        ? GAP
        : value;
      add(`${name}{${labels === undefined ? own : `${labels},${own}`}}`, known);
    }
  };
  return {
    types,
    async scrape() {
      for (const target of targets) await scrapeOne(target);
      count += 1;
    },
    count: () => count,
    series(more) {
      const complete = [...samples].map(([series, values]) => {
        const gaps = Array.from({ length: count - values.length }, () => GAP);
        const all = [...values, ...gaps];
        // A series that has ended stays ended.
        const last = all.at(-1) ?? GAP;
        return [series, `${all.join(' ')} ${last}x${more}`] as const;
      });
      return Object.fromEntries(complete);
    },
  };
}

async function read(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}
