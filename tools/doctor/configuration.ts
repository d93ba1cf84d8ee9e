/** Without a flag: the configuration as the start reads it, and whether database and Temporal answer. */
import { ConfigError, readAppConfig, readTemporalConfig } from '../../config.ts';
import { openTemporal } from '../audit/temporal-link.ts';
import { checkDatabase } from './database.ts';
import { found, type Finding } from './finding.ts';

/** Never throws for what is configured wrong, or away. */
export async function checkConfiguration(): Promise<readonly Finding[]> {
  try {
    const { DATABASE_URL: url } = readAppConfig();
    const { connectionOptions: connection, namespace = 'default' } = readTemporalConfig();
    const configuration = found('passed', 'the configuration is valid');
    return [
      configuration,
      await checkDatabase(url),
      await checkTemporal({ connection, namespace }),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [found('failed', error.message)];
  }
}

async function checkTemporal(place: Parameters<typeof openTemporal>[0]): Promise<Finding> {
  const temporal = await openTemporal(place);
  try {
    const { connection, options } = temporal.client();
    await connection.workflowService.describeNamespace({ namespace: options.namespace });
    return found('passed', `Temporal answers, with the namespace ${options.namespace}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    return found('failed', `Temporal, or its namespace, is not there: ${reason}`);
  } finally {
    await temporal.close();
  }
}
