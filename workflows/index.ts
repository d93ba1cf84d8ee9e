/** The workflow bundle's single entry. */
export { checkout } from './checkout.ts';
