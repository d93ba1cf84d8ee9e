/** Compares each response of a shop with the OpenAPI document: its status, and the code of a problem. */
import { z } from 'zod';
import type { App } from '../../api/app.ts';

const reference = z.object({ $ref: z.string().transform((ref) => ref.split('/').at(-1) ?? '') });
const operation = z.object({ responses: z.record(z.string(), z.union([reference, z.object({})])) });
const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ responses: z.record(z.string(), z.object({ description: z.string() })) }),
});
type Document = z.infer<typeof documentSchema>;

/** The application, which throws for a response that its document does not have. */
export function withDocument(app: App): Pick<App, 'request'> {
  let document: Promise<Document> | undefined;
  return {
    async request(...args: Parameters<App['request']>) {
      const response = await app.request(...args);
      document ??= readDocument(app);
      const [target, init] = args;
      const { pathname } = target instanceof Request ? new URL(target.url) : new URL(target, BASE);
      const method = (target instanceof Request ? target.method : init?.method) ?? 'GET';
      await requireDocumented(await document, { method, pathname }, response);
      return response;
    },
  };
}

const BASE = 'http://shop.test';

async function readDocument(app: App): Promise<Document> {
  return documentSchema.parse(await (await app.request('/openapi.json')).json());
}

async function requireDocumented(
  { paths, components }: Document,
  { method, pathname }: { readonly method: string; readonly pathname: string },
  response: Response,
): Promise<void> {
  const matching = Object.keys(paths).filter((path) =>
    new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  // A path without a parameter comes before one that takes it for the value of one.
  const path = matching.find((each) => !each.includes('{')) ?? matching[0] ?? '';
  const described = paths[path]?.[method === 'HEAD' ? 'get' : method.toLowerCase()];
  if (described === undefined) return;
  const at = `${method} ${pathname} returns ${response.status}`;
  const found = described.responses[response.status];
  if (found === undefined) throw new Error(`${at}, which the OpenAPI document lacks`);
  if (!('$ref' in found) || method === 'HEAD') return;
  const { code } = z.object({ code: z.string() }).parse(await response.clone().json());
  if (!components.responses[found.$ref]?.description.includes(`\`${code}\``)) {
    throw new Error(`${at} ${code}, which the OpenAPI document lacks`);
  }
}
