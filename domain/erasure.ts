/** What an order looks like after its person was erased (Article 17 GDPR). */

/**
 * Stands where personal data was: e-mail, name, street and city of an order, the token of its payment
 * method, its tracking number, and what operators wrote. What is optional is left out. The country
 * stays, for taxes.
 */
export const ERASED = 'erased';

/** Members of events that can hold or lead to personal data. */
export const PERSONAL_EVENT_MEMBERS = ['note', 'tracking_number'] as const;
