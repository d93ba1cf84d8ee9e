/** Calls the API at the URL with each client, and prints what they found as JSON. */
import { useFetchClient } from './with-openapi-fetch.js';
import { useGeneratedSdk } from './with-openapi-ts.js';

declare const process: { readonly argv: readonly string[] };

const [, , baseUrl = '', body = ''] = process.argv;
const order = JSON.parse(body);
console.log(
  JSON.stringify([await useFetchClient(baseUrl, order), await useGeneratedSdk(baseUrl, order)]),
);
