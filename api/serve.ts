/** Starts the HTTP listeners of one process: the API's, and that of its operators. */
import { createApp, createHealthApp } from './app.ts';
import type { Services } from './context.ts';
import { listen, type HttpServer } from './server.ts';

interface ServeOptions {
  readonly ROLE: 'api' | 'worker' | 'all';
  readonly HOST: string;
  readonly PORT: number;
  readonly OPERATIONS_HOST: string;
  /** May be the API's port: then that is open. */
  readonly OPERATIONS_PORT?: number | undefined;
}

/**
 * Metrics, details of readiness and the API reference are on the operators' port. Without one they are
 * on the API's port in development, and closed in production. Rejects with ListenError.
 */
export async function serve(services: Services, options: ServeOptions): Promise<HttpServer> {
  const { ROLE, HOST: host, PORT: port, OPERATIONS_HOST } = options;
  const operationsPort = options.OPERATIONS_PORT ?? (services.production ? null : port);
  const create = ROLE === 'worker' ? createHealthApp : createApp;
  const { fetch } = create(services, operationsPort === port);
  const servers = [await listen({ fetch, host, port })];
  if (operationsPort !== null && operationsPort !== port) {
    const where = { host: OPERATIONS_HOST, port: operationsPort, prefix: 'OPERATIONS_' } as const;
    servers.push(await listen({ fetch: create(services).fetch, ...where }));
  }
  return {
    close: async (withinMs) => {
      await Promise.all(servers.map((server) => server.close(withinMs)));
    },
  };
}
