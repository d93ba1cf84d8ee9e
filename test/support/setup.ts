/** Runs before each test file, in its process. */
import { quietTemporal } from './temporal.ts';

quietTemporal();
